-- The days on which a user was last seen and last changed, in UTC, for lists by them. An index on the moments themselves would
-- be written to by every refresh; the days of most users are the same as before, and then no index is. Who was never seen
-- comes before everybody who was, by when they were created.

-- +goose Up

alter table auth.users
  add column seen_on date not null generated always as (coalesce((last_seen at time zone 'UTC')::date, (created_at at time zone 'UTC')::date - 730000)) stored,
  add column updated_on date not null generated always as ((updated_at at time zone 'UTC')::date) stored;
create index postern_users_seen_on_idx on auth.users (seen_on, id);
create index postern_users_updated_on_idx on auth.users (updated_on, id);
