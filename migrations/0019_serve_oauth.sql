-- What users give to clients of the OAuth server. What a client has is a session of a type of its own, so that
-- whatever ends sessions ends it, and no refresh of a user's own session takes its token: not here, and not in
-- Hasura Auth if that is started again.

-- +goose Up

insert into auth.refresh_token_types (value, comment) values ('oauth', 'Session of a client of the OAuth server')
on conflict do nothing;

-- door is the dialect whose endpoints gave it: a token of one is none at the other. auth_time is when the user
-- last proved who they are.
create table auth.oauth_sessions (
  session_id uuid primary key references auth.refresh_tokens (id) on delete cascade,
  client_id text not null,
  door text not null,
  scopes text[] not null,
  auth_time timestamptz not null
);
create index postern_oauth_sessions_client_id_idx on auth.oauth_sessions (client_id);

-- What a user has allowed a client, until they take it back.
create table auth.oauth_consents (
  user_id uuid not null references auth.users (id) on delete cascade,
  client_id text not null,
  scopes text[] not null,
  granted_at timestamptz not null,
  primary key (user_id, client_id)
);
create index postern_oauth_consents_client_id_idx on auth.oauth_consents (client_id);
