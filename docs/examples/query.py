import duckdb

con = duckdb.connect("headcount.duckdb", read_only=True)
heads = con.execute("from head_activation order by run_id, layer, head").df()
grid = heads[heads.run_id == heads.run_id[0]].pivot(index="layer", columns="head", values="activation_pct").to_numpy()
