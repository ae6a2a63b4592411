-- The day on which a user was last seen, in UTC, for lists sorted by it. An index on last_seen itself would be written
-- to by every refresh; the day of most users is the same as before, and then no index is.

-- +goose Up

alter table auth.users add column seen_on date not null
  generated always as (coalesce((last_seen at time zone 'UTC')::date, '0001-01-01'::date)) stored;
create index postern_users_seen_on_idx on auth.users (seen_on, id);
