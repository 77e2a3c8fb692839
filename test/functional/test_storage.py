"""The database file as anybody with a SQLite shell sees it."""
import sqlite3
import stat


def test_every_table_is_strict_and_the_file_is_ours_alone(control):
    file = control.data / "caip.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(control.data.stat().st_mode) == 0o700
    database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    tables = database.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'").fetchall()
    assert len(tables) >= 10
    assert [name for name, strict in tables if not strict] == []
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
