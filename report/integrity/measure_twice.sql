-- impossible: a measure stands twice
select id from measure group by id having count(*) > 1
