-- What the ways in beside passwords and links need: second factors, recovery codes, and what is
-- known of passkeys and of identities at other providers.

-- +goose Up

-- A second factor of a user. One that is enrolled but not yet confirmed is pending and proves
-- nothing.
create table auth.factors (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  kind text not null check (kind in ('totp')),
  status text not null check (status in ('pending', 'active')),
  name text,
  secret bytea, -- sealed; null where auth.users.totp_secret is the truth (see docs/adoption.md)
  last_step bigint, -- the latest step whose code was accepted (RFC 6238): no code counts twice
  created_at timestamptz not null,
  confirmed_at timestamptz
);
create index factors_user_id_idx on auth.factors (user_id, kind, status);

-- Codes that stand in for a lost second factor, each once.
create table auth.recovery_codes (
  id uuid primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  code_hash bytea not null, -- SHA-256 of the code, which has 80 random bits or more
  created_at timestamptz not null,
  used_at timestamptz
);
create unique index recovery_codes_user_id_code_hash_idx on auth.recovery_codes (user_id, code_hash);

-- The number that a ticket was sent to, which is what it proves.
alter table auth.tickets add column phone_number text;

alter table auth.user_security_keys
  add column added_at timestamptz,
  add column used_at timestamptz,
  add column aaguid uuid,
  add column backup_eligible boolean,
  add column backed_up boolean;
create index postern_user_security_keys_user_id_idx on auth.user_security_keys (user_id);

alter table auth.user_providers
  add column profile jsonb, -- what the provider said lately
  add column email text,
  add column email_verified boolean,
  add column signed_in_at timestamptz;
create index postern_user_providers_user_id_idx on auth.user_providers (user_id);
