-- The audit log becomes a chain: each entry is sealed, a moment after it was committed, with a key
-- that the database does not have and with the seal before it. Whoever writes an entry takes no lock
-- that others wait for: it is noted as waiting, and one sealer at a time takes what waits. And what is
-- counted of it for statistics.

-- +goose Up

alter table auth.audit_entries drop column seal; -- nobody ever wrote it: seals are rows of their own

-- Entries that are committed and not yet sealed.
create table auth.audit_pending (
  at timestamptz not null,
  id bigint not null,
  primary key (at, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- +goose StatementBegin
create function auth.postern_await_seal() returns trigger
  language plpgsql
as $$
begin
  insert into auth.audit_pending (at, id) values (new.at, new.id) on conflict do nothing;
  return null;
end;
$$;
-- +goose StatementEnd
create trigger postern_await_seal after insert on auth.audit_entries for each row execute function auth.postern_await_seal();
insert into auth.audit_pending (at, id) select at, id from auth.audit_entries;

-- The seals, in the order of sealing. They outlive the entries that retention dropped for as long as
-- later ones need them.
create table auth.audit_seals (
  no bigint primary key,
  entry_at timestamptz not null,
  entry_id bigint not null,
  event text not null,
  sealed_at timestamptz not null, -- by the clock of the server that sealed it
  version smallint not null, -- of how an entry is turned into bytes; 0: it was gone before it could be sealed
  key bytea not null,        -- which key, not the key
  digest bytea not null,     -- of the entry
  seal bytea not null        -- of all this and the seal before
);
create unique index audit_seals_entry_idx on auth.audit_seals (entry_at, entry_id);

-- The last seal, and the one that the first row of audit_seals follows. The mac is over all of it:
-- nobody without the key puts an earlier state in its place that they did not see.
create table auth.audit_head (
  one boolean primary key default true check (one),
  no bigint not null,
  seal bytea not null,
  anchor_no bigint not null,
  anchor_seal bytea not null,
  kept_since timestamptz, -- entries from before may be gone: their time to be kept is over
  history text not null default '', -- when the chain began and was restarted, and what was found then
  key bytea,
  mac bytea
);
insert into auth.audit_head (no, seal, anchor_no, anchor_seal) values (0, '', 0, '');

-- How many entries of each kind a day had, in UTC. Counted once, when they are sealed.
create table auth.audit_counts (
  day date not null,
  event text not null,
  count bigint not null,
  primary key (day, event)
);

-- Who was seen on a day, in UTC: kept for a few weeks, and counted for as long as wanted.
create table auth.active_users (
  day date not null,
  user_id uuid not null,
  primary key (day, user_id)
);
create table auth.active_counts (
  day date primary key,
  count bigint not null
);

-- For reading the log by what happened, who did it, and in which session.
create index postern_audit_entries_event_idx on auth.audit_entries (event, at, id);
create index postern_audit_entries_actor_idx on auth.audit_entries (actor_id, at, id) where actor_id is not null;
create index postern_audit_entries_session_idx on auth.audit_entries (session_id, at, id) where session_id is not null;
