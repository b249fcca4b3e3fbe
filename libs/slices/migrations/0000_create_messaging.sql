-- What every daemon needs to talk to the others without losing or doubling anything: the events it has to send, the
-- messages it has handled, and who leads its shared work. Code older than this does not exist.

-- Rows live for milliseconds: written with the facts they tell, claimed by a relay, deleted when the broker has
-- confirmed. Half-filled pages let the claim rewrite a row in its own page without touching the index; vacuum comes
-- early, because a relay that reads past dead rows gets slower with each of them.
create table outbox (
    id bigint generated always as identity primary key,
    message_id uuid not null,
    type text not null,
    routing_key text not null,
    correlation_id text not null default '',
    traceparent text not null default '',
    body text not null,
    created_at timestamptz not null default clock_timestamp(),
    claimed_by text,
    claimed_until timestamptz
) with (
    fillfactor = 50,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 5000,
    autovacuum_analyze_scale_factor = 0
);

-- One row per message and handler, for 30 days.
create table inbox (
    handler text not null,
    message_id text not null,
    received_at timestamptz not null default now(),
    primary key (handler, message_id)
);

-- For the purge only: rows lie in the order of their arrival.
create index inbox_by_arrival on inbox using brin (received_at);

create table leases (
    name text primary key,
    holder text not null,
    term bigint not null,
    held_until timestamptz not null
);
