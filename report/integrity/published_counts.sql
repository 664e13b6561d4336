-- impossible: a published figure has a cell twice
select figure, range_ordinal, band_ordinal from published_count group by all having count(*) > 1
