-- Access tokens by which an operator sees what a user sees. Each has a row for as long as it may live:
-- whoever deletes the row, or the user, ends it. Nothing refreshes one, so there is no secret in it.

-- +goose Up

create table auth.impersonations (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  actor_id uuid, -- the operator; null for whoever has the admin secret alone
  reason text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index impersonations_user_id_idx on auth.impersonations (user_id);
create index impersonations_expires_at_idx on auth.impersonations (expires_at);

create trigger postern_tell_of_end after delete on auth.impersonations
  referencing old table as gone for each statement
  execute function auth.postern_tell_of_users();
