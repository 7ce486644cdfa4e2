//! What every `Sql` must do, as a list that each adapter runs on its own database.
//!
//! The rules are those of SQLite inside a Durable Object, as it was seen to behave. Each case
//! makes the tables it needs and leaves nothing behind, so that all can run on one database.

use super::{Columns, MAX_PARAMETERS, MAX_SAFE_INTEGER, Row, Sql, SqlError, Value};

/// A case: what must hold, and the check of it.
pub type Case = (&'static str, fn(&dyn Sql) -> Result<(), String>);

/// All cases.
pub fn cases() -> Vec<Case> {
    vec![
        ("a bound number is a real number", numbers_bind_as_real),
        ("a cast makes it an integer", cast_makes_integers),
        ("strict tables take whole numbers only", strict_integers),
        (
            "a number bound to a text column gets a fraction",
            number_in_text,
        ),
        ("a whole real number reads as an integer", whole_reals),
        ("real numbers keep every bit", reals_keep_every_bit),
        ("text keeps every character", text_round_trip),
        ("NULL is kept", nulls),
        ("integers end at 2^53-1", safe_integers),
        ("what is no number is refused", not_finite),
        ("100 parameters and no more", parameters),
        ("parameters are counted", parameter_count),
        ("transactions and versions are not for statements", banned),
        (
            "columns keep their order, also with one name",
            columns_in_order,
        ),
        ("long patterns are refused", long_patterns),
        ("a row of almost 2 MB fits", large_rows),
        ("lists travel as JSON", json_lists),
        ("a constraint refuses its row alone", constraints),
        ("a refused statement says so", refused_statement),
        ("a strict table takes another column", another_column),
        ("a transaction commits", commits),
        ("a transaction sees its own writes", sees_own_writes),
        (
            "a failed body rolls back and its error comes out",
            rolls_back,
        ),
        (
            "a failed statement rolls back tables too",
            rolls_back_tables,
        ),
        ("a transaction survives a statement it forgives", forgives),
        ("RETURNING inside a transaction is drained", returning),
        ("after a rollback all goes on", goes_on),
    ]
}

type Outcome = Result<(), String>;

/// Two things that must be equal.
fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, got {found:?}"))
    }
}

fn text(error: SqlError) -> String {
    error.to_string()
}

fn run(sql: &dyn Sql, statement: &str) -> Outcome {
    sql.run(statement, &[]).map_err(text)
}

fn rows(sql: &dyn Sql, statement: &str, args: &[Value]) -> Result<Vec<Row>, String> {
    sql.query(statement, args).map_err(text)
}

fn refused<T: std::fmt::Debug>(result: Result<T, SqlError>) -> Outcome {
    match result {
        Err(_) => Ok(()),
        Ok(found) => Err(format!("expected a refusal, got {found:?}")),
    }
}

/// Runs `check` with a fresh table of these columns.
fn with_table(sql: &dyn Sql, columns: &str, check: impl FnOnce() -> Outcome) -> Outcome {
    run(sql, "DROP TABLE IF EXISTS case_rows")?;
    run(sql, &format!("CREATE TABLE case_rows ({columns}) STRICT"))?;
    let outcome = check();
    run(sql, "DROP TABLE case_rows")?;
    outcome
}

fn count(sql: &dyn Sql) -> Result<i64, String> {
    let rows = rows(sql, "SELECT COUNT(*) FROM case_rows", &[])?;
    rows.first().ok_or("no row")?.integer(0).map_err(text)
}

const INSERT: &str = "INSERT INTO case_rows (a) VALUES (?)";
const SELECT: &str = "SELECT a FROM case_rows";

fn numbers_bind_as_real(sql: &dyn Sql) -> Outcome {
    let five = [Value::Integer(5), Value::Integer(5)];
    let found = rows(sql, "SELECT ? / 2, typeof(?)", &five)?;
    same(found, vec![vec![Value::Real(2.5), "real".into()]])
}

fn cast_makes_integers(sql: &dyn Sql) -> Outcome {
    let found = rows(sql, "SELECT CAST(? AS INTEGER) / 2", &[Value::Integer(5)])?;
    same(found, vec![vec![Value::Integer(2)]])?;
    let limit = "SELECT value FROM json_each('[1,2,3]') LIMIT CAST(? AS INTEGER)";
    same(rows(sql, limit, &[Value::Integer(2)])?.len(), 2)
}

fn strict_integers(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        sql.run(INSERT, &[Value::Integer(5)]).map_err(text)?;
        sql.run(INSERT, &[Value::Real(6.0)]).map_err(text)?;
        refused(sql.run(INSERT, &[Value::Real(5.5)]))?;
        refused(sql.run(INSERT, &["five".into()]))?;
        let found = rows(sql, "SELECT a, typeof(a) FROM case_rows ORDER BY a", &[])?;
        let row = |n| vec![Value::Integer(n), "integer".into()];
        same(found, vec![row(5), row(6)])
    })
}

fn number_in_text(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a TEXT", || {
        sql.run(INSERT, &[Value::Integer(7)]).map_err(text)?;
        same(rows(sql, SELECT, &[])?, vec![vec!["7.0".into()]])
    })
}

fn whole_reals(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a REAL", || {
        sql.run(INSERT, &[Value::Real(2.0)]).map_err(text)?;
        let found = rows(sql, "SELECT a, typeof(a) FROM case_rows", &[])?;
        same(&found, &vec![vec![Value::Integer(2), "real".into()]])?;
        same(found[0].real(0), Ok(2.0))
    })
}

fn reals_keep_every_bit(sql: &dyn Sql) -> Outcome {
    let all = [
        0.1 + 0.2,
        -1.0 / 3.0,
        f64::MIN_POSITIVE,
        f64::MAX,
        1e17,
        123_456.789_012_345,
    ];
    with_table(sql, "a REAL", || {
        for x in all {
            run(sql, "DELETE FROM case_rows")?;
            sql.run(INSERT, &[Value::Real(x)]).map_err(text)?;
            same(rows(sql, SELECT, &[])?, vec![vec![Value::Real(x)]])?;
        }
        Ok(())
    })
}

fn text_round_trip(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a TEXT", || {
        for all in [
            "",
            "'",
            "\"quoted\"",
            "ÄÖ ß 漢字 🚀",
            "line\nline\r\n\t",
            "7",
            "true",
        ] {
            run(sql, "DELETE FROM case_rows")?;
            sql.run(INSERT, &[all.into()]).map_err(text)?;
            same(rows(sql, SELECT, &[])?, vec![vec![all.into()]])?;
            same(
                rows(sql, "SELECT a FROM case_rows WHERE a = ?", &[all.into()])?.len(),
                1,
            )?;
        }
        Ok(())
    })
}

fn nulls(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a TEXT", || {
        sql.run(INSERT, &[Value::Null]).map_err(text)?;
        let found = rows(sql, SELECT, &[])?;
        same(&found, &vec![vec![Value::Null]])?;
        same(found[0].maybe_text(0), Ok(None))
    })
}

fn safe_integers(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        for n in [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER] {
            run(sql, "DELETE FROM case_rows")?;
            sql.run(INSERT, &[Value::Integer(n)]).map_err(text)?;
            same(rows(sql, SELECT, &[])?, vec![vec![Value::Integer(n)]])?;
        }
        for n in [
            MAX_SAFE_INTEGER + 1,
            -MAX_SAFE_INTEGER - 1,
            i64::MAX,
            i64::MIN,
        ] {
            same(
                sql.run(INSERT, &[Value::Integer(n)]),
                Err(SqlError::OutOfRange(n)),
            )?;
        }
        // What a statement computes beyond that may be rounded: it is never taken for exact.
        let found = rows(sql, "SELECT 9007199254740993", &[])?;
        refused(found[0].integer(0))
    })
}

fn not_finite(sql: &dyn Sql) -> Outcome {
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused(sql.query("SELECT ?", &[Value::Real(x)]))?;
    }
    Ok(())
}

fn parameters(sql: &dyn Sql) -> Outcome {
    let select = |n: usize| format!("SELECT {}", vec!["?"; n].join(" + "));
    let args = |n| vec![Value::Integer(1); n];
    let found = rows(sql, &select(MAX_PARAMETERS), &args(MAX_PARAMETERS))?;
    same(found, vec![vec![Value::Integer(100)]])?;
    let more = MAX_PARAMETERS + 1;
    let found = sql.query(&select(more), &args(more));
    same(found, Err(SqlError::TooManyParameters(more)))?;
    refused(sql.query("SELECT ?101", &args(1)))
}

fn parameter_count(sql: &dyn Sql) -> Outcome {
    refused(sql.query("SELECT ?, ?", &[Value::Integer(1)]))?;
    refused(sql.query("SELECT ?", &[Value::Integer(1), Value::Integer(2)]))?;
    refused(sql.query("SELECT 1", &[Value::Null]))
}

fn banned(sql: &dyn Sql) -> Outcome {
    for statement in [
        "PRAGMA user_version",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = DELETE",
        "SELECT sqlite_version()",
        "BEGIN",
        "BEGIN IMMEDIATE",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT here",
        "ATTACH DATABASE ':memory:' AS other",
    ] {
        refused(sql.query(statement, &[])).map_err(|error| format!("{statement}: {error}"))?;
    }
    Ok(())
}

fn columns_in_order(sql: &dyn Sql) -> Outcome {
    let found = rows(sql, "SELECT 2 AS b, 1 AS a, 3 AS b", &[])?;
    same(
        found,
        vec![vec![
            Value::Integer(2),
            Value::Integer(1),
            Value::Integer(3),
        ]],
    )
}

fn large_rows(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a TEXT", || {
        let fits = "x".repeat(1_900_000);
        sql.run(INSERT, &[fits.as_str().into()]).map_err(text)?;
        same(rows(sql, SELECT, &[])?, vec![vec![fits.into()]])
    })
}

fn long_patterns(sql: &dyn Sql) -> Outcome {
    let like = |n: usize| sql.query("SELECT 'x' LIKE ?", &["%".repeat(n).into()]);
    like(50).map_err(text)?;
    refused(like(51))
}

fn json_lists(sql: &dyn Sql) -> Outcome {
    let list = r#"["A","B",3.5]"#;
    let found = rows(sql, "SELECT value FROM json_each(?)", &[list.into()])?;
    same(
        found,
        vec![vec!["A".into()], vec!["B".into()], vec![Value::Real(3.5)]],
    )
}

fn constraints(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a TEXT PRIMARY KEY NOT NULL", || {
        sql.run(INSERT, &["one".into()]).map_err(text)?;
        refused(sql.run(INSERT, &["one".into()]))?;
        refused(sql.run(INSERT, &[Value::Null]))?;
        let upsert = "INSERT INTO case_rows (a) VALUES (?) ON CONFLICT (a) DO UPDATE SET a = 'two'";
        sql.run(upsert, &["one".into()]).map_err(text)?;
        same(rows(sql, SELECT, &[])?, vec![vec!["two".into()]])
    })
}

fn refused_statement(sql: &dyn Sql) -> Outcome {
    refused(sql.run("no statement", &[]))?;
    refused(sql.query("SELECT a FROM no_such_table", &[]))?;
    with_table(sql, "a INTEGER", || {
        let two = "INSERT INTO case_rows (a) SELECT value FROM json_each(?)";
        // Outside a transaction workerd keeps the first of the two rows.
        refused(sql.atomically(&mut || sql.run(two, &[r#"[1,"x"]"#.into()])))?;
        same(count(sql)?, 0)
    })
}

fn another_column(sql: &dyn Sql) -> Outcome {
    run(sql, "CREATE TABLE t (x INTEGER) STRICT")?;
    run(sql, "INSERT INTO t VALUES (1)")?;
    sql.atomically(&mut || {
        sql.run("ALTER TABLE t ADD COLUMN y INTEGER NOT NULL DEFAULT 7", &[])?;
        sql.run("ALTER TABLE t ADD COLUMN z TEXT", &[])
    })
    .map_err(text)?;
    let rows = sql.query("SELECT y, z FROM t", &[]).map_err(text)?;
    let row = rows.first().ok_or("no row")?;
    same(row.integer(0).map_err(text)?, 7)?;
    same(row.is_null(1), true)?;
    run(sql, "DROP TABLE t")
}

fn commits(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        let mut next = 0;
        let mut body = || {
            for _ in 0..3 {
                next += 1;
                sql.run(INSERT, &[Value::Integer(next)])?;
            }
            Ok(())
        };
        sql.atomically(&mut body).map_err(text)?;
        same(count(sql)?, 3)
    })
}

fn sees_own_writes(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        let mut seen = Vec::new();
        let mut body = || {
            sql.run(INSERT, &[Value::Integer(7)])?;
            seen = sql.query(SELECT, &[])?;
            Ok(())
        };
        sql.atomically(&mut body).map_err(text)?;
        same(seen, vec![vec![Value::Integer(7)]])
    })
}

fn rolls_back(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        sql.run(INSERT, &[Value::Integer(1)]).map_err(text)?;
        let mut body = || {
            sql.run(INSERT, &[Value::Integer(2)])?;
            sql.run("UPDATE case_rows SET a = 9", &[])?;
            Err(SqlError::OutOfRange(42))
        };
        same(sql.atomically(&mut body), Err(SqlError::OutOfRange(42)))?;
        same(rows(sql, SELECT, &[])?, vec![vec![Value::Integer(1)]])
    })
}

fn rolls_back_tables(sql: &dyn Sql) -> Outcome {
    run(sql, "DROP TABLE IF EXISTS case_made")?;
    let mut body = || {
        sql.run("CREATE TABLE case_made (a INTEGER) STRICT", &[])?;
        sql.run("INSERT INTO case_made (a) VALUES (?)", &[Value::Real(0.5)])
    };
    refused(sql.atomically(&mut body))?;
    refused(sql.query("SELECT a FROM case_made", &[]))
}

fn forgives(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        let mut body = || {
            sql.run(INSERT, &[Value::Integer(1)])?;
            match sql.run(INSERT, &["x".into()]) {
                Err(_) => sql.run(INSERT, &[Value::Integer(2)]),
                Ok(()) => Err(SqlError::OutOfRange(0)),
            }
        };
        sql.atomically(&mut body).map_err(text)?;
        same(count(sql)?, 2)
    })
}

fn returning(sql: &dyn Sql) -> Outcome {
    with_table(sql, "a INTEGER", || {
        let insert = "INSERT INTO case_rows (a) SELECT value FROM json_each(?) RETURNING a";
        let mut found = Vec::new();
        let mut body = || {
            found = sql.query(insert, &["[1,2]".into()])?;
            // Nobody looks at these rows, and the commit must not mind.
            sql.run(insert, &["[3,4]".into()])
        };
        sql.atomically(&mut body).map_err(text)?;
        same(
            found,
            vec![vec![Value::Integer(1)], vec![Value::Integer(2)]],
        )?;
        same(count(sql)?, 4)
    })
}

fn goes_on(sql: &dyn Sql) -> Outcome {
    rolls_back(sql)?;
    commits(sql)?;
    rolls_back(sql)
}
