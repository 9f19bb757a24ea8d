-- The commit path: a commit appends here and writes nothing else, so that it is one page and one flush. Its rows move
-- to `updates` in bulk, beside the commits; only there are they indexed and counted.
CREATE TABLE journal (
    -- Without AUTOINCREMENT, which would write a second page: ids continue those of `updates`, without gaps.
    id    INTEGER PRIMARY KEY,
    graph INTEGER NOT NULL REFERENCES graphs (key),
    at    INTEGER NOT NULL,
    crc   INTEGER NOT NULL,
    topic TEXT,
    data  BLOB NOT NULL
) STRICT;

DROP TRIGGER updates_touch_graph;
