-- The audit log and the outbox of events. Neither has a foreign key: both outlive the users they
-- speak of.

-- +goose Up

create table auth.audit_entries (
  id bigint generated always as identity,
  at timestamptz not null,
  event text not null,
  user_id uuid,
  actor_id uuid,
  session_id uuid,
  address_prefix text,
  user_agent text,
  detail jsonb,
  seal bytea,
  primary key (at, id)
) partition by range (at);
create index audit_entries_user_id_at_idx on auth.audit_entries (user_id, at);

-- Entries of a month that has no partition land here; nothing is ever refused for want of one.
create table auth.audit_entries_default partition of auth.audit_entries default;

-- ensure_audit_partitions makes the partitions for the month of its argument and the two months
-- after it, in UTC. It may be called at any time and by many at once. Entries that wait in the
-- default partition move to the new one.
-- +goose StatementBegin
create function auth.ensure_audit_partitions(at timestamptz) returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  month timestamp := date_trunc('month', at at time zone 'UTC');
  starts timestamptz;
  ends timestamptz;
  partition text;
begin
  for i in 0..2 loop
    starts := (month + make_interval(months => i)) at time zone 'UTC';
    ends := (month + make_interval(months => i + 1)) at time zone 'UTC';
    partition := 'audit_entries_' || to_char(month + make_interval(months => i), 'YYYY_MM');
    continue when to_regclass(format('auth.%I', partition)) is not null;

    -- One maker at a time; whoever waited finds the work done. Nobody may add to the default
    -- partition meanwhile, since what belongs into the new one could no longer go there.
    lock table auth.audit_entries in share update exclusive mode;
    continue when to_regclass(format('auth.%I', partition)) is not null;
    lock table auth.audit_entries_default in access exclusive mode;

    execute format('create table auth.%I (like auth.audit_entries including defaults including constraints)', partition);
    execute format(
      'with moved as (delete from auth.audit_entries_default d where d.at >= %L and d.at < %L returning d.*) '
      'insert into auth.%I select * from moved', starts, ends, partition);
    execute format('alter table auth.audit_entries attach partition auth.%I for values from (%L) to (%L)',
      partition, starts, ends);
  end loop;
end;
$$;
-- +goose StatementEnd

select auth.ensure_audit_partitions(now());

-- The number of the last event of a user.
create table auth.event_heads (
  user_id uuid primary key,
  last bigint not null
);

create table auth.events (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null,
  seq bigint not null,
  type text not null,
  payload jsonb not null,
  at timestamptz not null,
  unique (user_id, seq)
);
create index events_at_idx on auth.events (at);
