-- One schema for SQLite and PostgreSQL: BIGINT and TEXT only, moments in whole minutes since 1970 UTC.

-- What happened, in order. Exactly one of body and body_digest is there: the digest takes the
-- place of a body that `ledger vacuum` has dropped.
CREATE TABLE entry (
    seq BIGINT PRIMARY KEY NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT,
    body_digest TEXT,
    digest TEXT NOT NULL
);
CREATE INDEX entry_subject ON entry (subject, seq);

-- The last entry: the row that every writer locks first.
CREATE TABLE head (
    one BIGINT PRIMARY KEY NOT NULL,
    seq BIGINT NOT NULL,
    digest TEXT NOT NULL
);
INSERT INTO head (one, seq, digest)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- What is true now: the latest entry of every subject, with the keys it is found by.
CREATE TABLE present (
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    seq BIGINT NOT NULL,
    state TEXT NOT NULL,
    request TEXT NOT NULL,
    patient TEXT NOT NULL,
    requester TEXT NOT NULL,
    PRIMARY KEY (kind, subject)
);
CREATE INDEX present_request ON present (request);
CREATE INDEX present_patient ON present (patient);
CREATE INDEX present_requester ON present (requester);
CREATE INDEX present_state ON present (kind, state);

-- Which exports of identities name a patient.
CREATE TABLE named (
    patient TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (patient, seq)
);
