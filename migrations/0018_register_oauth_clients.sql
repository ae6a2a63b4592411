-- The applications that users let in on their account (OAuth 2.1): each has what operators, it itself or its metadata
-- document say of it. No table refers to this one by a foreign key: a client that is deleted keeps its row, so that its
-- id is given to nobody else.

-- +goose Up

create table auth.oauth_clients (
  id text primary key,
  secret_hash bytea, -- keyed, with a key that the database does not have; bcrypt where Hasura Auth made it; null without a secret
  name text not null default '',
  uri text not null default '',
  logo_uri text not null default '',
  redirect_uris text[] not null,
  scopes text[] not null,
  grant_types text[] not null,
  auth_method text not null,   -- client_secret_basic, client_secret_post, none; client_secret is either of the first two
  origin text not null,        -- registered, dynamic, metadata_document
  adopted boolean not null default false, -- copied from auth.oauth2_clients, where Hasura Auth keeps them
  fetched_at timestamptz,      -- when its metadata document was last read
  created_by uuid,             -- the operator, where it was a user; accounts may go, this stays
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
);
create index postern_oauth_clients_created_at_idx on auth.oauth_clients (created_at desc, id desc) where deleted_at is null;
