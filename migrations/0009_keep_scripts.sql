-- Hooks that arrive through the management API, as scripts with secrets, and the machines that may
-- bring them.

-- +goose Up

create table auth.hook_scripts (
  id text primary key, -- a ULID, so that the order of ids is that of creation
  name text not null,
  slug text not null constraint hook_scripts_slug_key unique, -- the name as names are compared
  trigger text not null,
  script text not null, -- never looked at before it runs
  dependencies jsonb not null default '{}',
  enabled boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
-- One script has a say at a time.
create unique index hook_scripts_enabled_idx on auth.hook_scripts (trigger) where enabled;

create table auth.hook_script_secrets (
  script_id text not null references auth.hook_scripts (id) on delete cascade,
  name text not null,
  sealed bytea not null, -- for this script and this name alone
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint hook_script_secrets_pkey primary key (script_id, name)
);

create table auth.machine_clients (
  id text primary key,
  name text not null,
  secret_hash bytea not null, -- keyed, with a key that the database does not have
  audiences text[] not null,
  scopes text[] not null,
  metadata jsonb not null default '{}',
  from_settings boolean not null default false, -- goes when the settings name another
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index machine_clients_from_settings_idx on auth.machine_clients (from_settings) where from_settings;
