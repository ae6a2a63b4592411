-- What Postern adds to the schema of Hasura Auth: nothing is renamed, every new column may stay
-- unset by a program that does not know it, and no name is one that Hasura Auth uses.
-- No secret goes into a column of an existing table: a permission on all its columns would show it.

-- +goose Up

-- A row of type regular is a session. aal, amr and factor_id say how it was opened; user_agent and
-- address_prefix from where; rotated_at when its token was last exchanged; ends_at when it must end
-- however often it is refreshed, null for never.
alter table auth.refresh_tokens
  add column aal smallint not null default 1,
  add column amr jsonb,
  add column factor_id uuid,
  add column user_agent text,
  add column address_prefix text,
  add column rotated_at timestamptz,
  add column ends_at timestamptz;

create index refresh_tokens_user_id_idx on auth.refresh_tokens (user_id);
create index refresh_tokens_expires_at_idx on auth.refresh_tokens (expires_at);
-- Links in mails that Hasura Auth sent are looked for by this, for as long as they live.
create index postern_users_ticket_idx on auth.users (ticket) where ticket is not null;

-- Hashes of refresh tokens that nobody honest holds: who presents one has copied a session.
create table auth.refresh_tripwires (
  hash text primary key,
  session_id uuid not null references auth.refresh_tokens (id) on delete cascade,
  created_at timestamptz not null
);
create index refresh_tripwires_session_id_idx on auth.refresh_tripwires (session_id);

-- One-time secrets: mail links, codes, PKCE codes. A secret of one purpose opens no other door.
create table auth.tickets (
  id uuid primary key default gen_random_uuid(),
  purpose text not null,
  secret_hash bytea not null unique, -- SHA-256 of the secret
  user_id uuid references auth.users (id) on delete cascade,
  parent_id uuid references auth.tickets (id) on delete cascade, -- the link whose opening made this code
  email text, -- the address the secret was mailed to, which is what it proves
  challenge text, -- PKCE S256 challenge; null without PKCE
  payload jsonb,
  attempts_left smallint, -- null when not counted
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index tickets_user_id_purpose_idx on auth.tickets (user_id, purpose);
create index tickets_parent_id_idx on auth.tickets (parent_id);
create index tickets_expires_at_idx on auth.tickets (expires_at);

-- Attempts within a window, shared by all replicas, for the limits that guard secrets.
create table auth.security_counters (
  key text primary key,
  count integer not null,
  window_ends_at timestamptz not null
);
create index security_counters_window_ends_at_idx on auth.security_counters (window_ends_at);
