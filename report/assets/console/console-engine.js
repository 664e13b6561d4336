// The SQL console's engine: DuckDB-Wasm in a worker of its own, with the published file as its only database, read-only. Once it is open
// it asks no host for anything: the file lies in memory, reading of others is off, and that is locked.
(function () {
  "use strict";
  const here = new URL(document.currentScript.src.replace(/console-engine\.js.*$/, ""), location.href).href;
  const FILE = "headcount.duckdb";
  const LOCKS = [
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
  ];
  // More rows than this are not brought over from the worker: a page is no place for them.
  const MOST = 100000;
  const TOO_OLD = "This browser is too old for the engine, which needs WebAssembly with exceptions.";

  async function loadLibrary() {
    await window.headcount.load("duckdb/arrow.js");
    await window.headcount.load("duckdb/duckdb-browser.js");
    return window.headcount.duckdb;
  }

  // The whole file, told of while it comes. A host that keeps it compressed hides its length, so only what has arrived is told.
  async function fetchFile(say, signal) {
    const answer = await fetch(new URL("../data/" + FILE, here).href, { signal: signal });
    if (!answer.ok) throw new Error("The file could not be fetched: the host answers " + answer.status + ".");
    const reader = answer.body.getReader();
    const parts = [];
    let arrived = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      arrived += part.value.length;
      say(arrived);
    }
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }

  function plain(sql) {
    return sql.replace(/[;\s]+$/, "");
  }

  // Every value as DuckDB itself writes it, and the type of each column.
  async function ask(connection, sql) {
    const inner = "(\n" + plain(sql) + "\n)";
    let types;
    try {
      types = await connection.query("select column_name, column_type from (describe from " + inner + ")");
    } catch (error) {
      return askPlainly(connection, sql);
    }
    const found = await connection.query("select columns(*)::varchar from " + inner + " limit " + (MOST + 1));
    const columns = types.toArray().map(function (row) { return { name: String(row.column_name), type: String(row.column_type) }; });
    return answer(columns, found);
  }

  // What cannot stand in a subquery – explain, several statements, a mistake – is sent as it is, so that its message is about what was typed.
  async function askPlainly(connection, sql) {
    const found = await connection.query(sql);
    const columns = found.schema.fields.map(function (field) { return { name: field.name, type: String(field.type) }; });
    return answer(columns, found);
  }

  function answer(columns, found) {
    const vectors = columns.map(function (column, at) { return found.getChildAt(at); });
    const rows = [];
    for (let at = 0; at < Math.min(found.numRows, MOST); at += 1) {
      rows.push(vectors.map(function (vector) {
        const value = vector.get(at);
        return value === null || value === undefined ? null : String(value);
      }));
    }
    return { columns: columns, rows: rows, more: found.numRows > MOST };
  }

  // `say` hears of the bytes that have arrived. Gives `query` and `close`; what runs when it is closed fails as "cancelled".
  window.headcount.openEngine = function (say) {
    const stop = new AbortController();
    const arrived = { engine: 0, file: 0 };
    let worker, cancel;
    const cancelled = new Promise(function (resolve, reject) { cancel = reject; });
    cancelled.catch(function () { /* nobody may be waiting */ });

    function tell(part, bytes) {
      arrived[part] = Math.max(arrived[part], bytes);
      say(arrived.engine + arrived.file);
    }

    async function open() {
      if (typeof WebAssembly !== "object" || !WebAssembly.Tag) throw new Error(TOO_OLD);
      const duckdb = await loadLibrary();
      stop.signal.throwIfAborted();
      worker = new Worker(here + "duckdb/duckdb-browser-eh.worker.js");
      worker.addEventListener("error", function () { cancel(new Error("The engine stopped. It may have run out of memory.")); });
      const database = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), worker);
      const [bytes] = await Promise.all([
        fetchFile(function (count) { tell("file", count); }, stop.signal),
        database.instantiate(here + "duckdb/duckdb-eh.wasm", null, function (progress) { tell("engine", progress.bytesLoaded); }),
      ]);
      await database.registerFileBuffer(FILE, bytes);
      await database.open({ path: FILE, accessMode: duckdb.DuckDBAccessMode.READ_ONLY });
      const connection = await database.connect();
      for (const lock of LOCKS) await connection.query(lock);
      return connection;
    }

    const opened = open();
    opened.catch(function () { /* told to whoever asks */ });
    return {
      query: function (sql) {
        const asked = opened.then(function (connection) {
          return ask(connection, sql);
        });
        return Promise.race([asked, cancelled]);
      },
      close: function () {
        stop.abort();
        cancel(new DOMException("cancelled", "AbortError"));
        if (worker) worker.terminate();
      },
    };
  };
})();
