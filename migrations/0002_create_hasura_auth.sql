-- The schema of Hasura Auth as its migration 18 leaves it, with locale as wide as its migration 19
-- makes it. Names of tables, columns, constraints and indexes are what other programs know (Hasura
-- metadata, custom SQL, GraphQL documents), so they are equal, letter by letter.
--
-- A database that Hasura Auth made never runs this file: see store/adopt.go.
-- Schema auth and the extensions citext and pgcrypto in schema public are there already.

-- +goose Up

create domain auth.email as public.citext
  constraint email_check check (
    value operator(public.~) '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$'::public.citext
  );

-- +goose StatementBegin
create function auth.set_current_timestamp_updated_at() returns trigger
  language plpgsql
as $$
declare
  _new record;
begin
  _new := new;
  _new."updated_at" = now();
  return _new;
end;
$$;
-- +goose StatementEnd

create table auth.roles (
  role text not null constraint roles_pkey primary key
);

create table auth.users (
  id uuid not null default public.gen_random_uuid() constraint users_pkey primary key,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  last_seen timestamptz,
  disabled boolean not null default false,
  display_name text not null default '',
  avatar_url text not null default '',
  locale varchar(3) not null,
  email auth.email,
  phone_number text,
  password_hash text,
  email_verified boolean not null default false,
  phone_number_verified boolean not null default false,
  new_email auth.email,
  otp_method_last_used text,
  otp_hash text,
  otp_hash_expires_at timestamptz not null default now(),
  default_role text not null default 'user',
  is_anonymous boolean not null default false,
  totp_secret text,
  active_mfa_type text,
  ticket text,
  ticket_expires_at timestamptz not null default now(),
  metadata jsonb,
  webauthn_current_challenge text,
  constraint users_email_key unique (email),
  constraint users_phone_number_key unique (phone_number),
  constraint active_mfa_types_check check (active_mfa_type = 'totp' or active_mfa_type = 'sms'),
  constraint fk_default_role foreign key (default_role) references auth.roles (role)
    on update cascade on delete restrict
);

create table auth.user_roles (
  id uuid not null default public.gen_random_uuid() constraint user_roles_pkey primary key,
  created_at timestamptz not null default now(),
  user_id uuid not null,
  role text not null,
  constraint user_roles_user_id_role_key unique (user_id, role),
  constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade,
  constraint fk_role foreign key (role) references auth.roles (role) on update cascade on delete restrict
);

create table auth.providers (
  id text not null constraint providers_pkey primary key
);

create table auth.user_providers (
  id uuid not null default public.gen_random_uuid() constraint user_providers_pkey primary key,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  user_id uuid not null,
  access_token text not null,
  refresh_token text,
  provider_id text not null,
  provider_user_id text not null,
  constraint user_providers_provider_id_provider_user_id_key unique (provider_id, provider_user_id),
  constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade,
  constraint fk_provider foreign key (provider_id) references auth.providers (id)
    on update cascade on delete restrict
);

create table auth.provider_requests (
  id uuid not null constraint provider_requests_pkey primary key,
  options jsonb
);

create table auth.refresh_token_types (
  value text not null constraint refresh_token_types_pkey primary key,
  comment text
);

create table auth.refresh_tokens (
  id uuid not null default gen_random_uuid() constraint refresh_tokens_pkey primary key,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  user_id uuid not null,
  metadata jsonb,
  type text not null default 'regular',
  refresh_token_hash varchar(255),
  constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade,
  constraint refresh_tokens_types_fkey foreign key (type) references auth.refresh_token_types (value)
    on update restrict on delete restrict
);

create index refresh_tokens_refresh_token_hash_expires_at_user_id_idx
  on auth.refresh_tokens (refresh_token_hash, expires_at, user_id);

create table auth.user_security_keys (
  id uuid not null default public.gen_random_uuid() constraint user_security_keys_pkey primary key,
  user_id uuid not null,
  credential_id text not null,
  credential_public_key bytea,
  counter bigint not null default 0,
  transports varchar(255) not null default '',
  nickname text,
  constraint user_security_key_credential_id_key unique (credential_id),
  constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade
);

create trigger set_auth_users_updated_at
  before update on auth.users
  for each row execute function auth.set_current_timestamp_updated_at();

create trigger set_auth_user_providers_updated_at
  before update on auth.user_providers
  for each row execute function auth.set_current_timestamp_updated_at();

comment on table auth.users is
  'User account information. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.roles is
  'Persistent Hasura roles for users. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.user_roles is
  'Roles of users. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.providers is
  'List of available Oauth providers. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.user_providers is
  'Active providers for a given user. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.provider_requests is
  'Oauth requests, inserted before redirecting to the provider''s site. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.refresh_tokens is
  'User refresh tokens. Hasura auth uses them to rotate new access tokens as long as the refresh token is not expired. Don''t modify its structure as Hasura Auth relies on it to function properly.';
comment on table auth.user_security_keys is
  'User webauthn security keys. Don''t modify its structure as Hasura Auth relies on it to function properly.';

insert into auth.roles (role) values ('user'), ('anonymous'), ('me');

insert into auth.providers (id) values
  ('github'), ('facebook'), ('twitter'), ('google'), ('apple'), ('linkedin'), ('windowslive'), ('spotify'),
  ('strava'), ('gitlab'), ('bitbucket'), ('discord'), ('twitch'), ('workos'), ('azuread'), ('entraid');

insert into auth.refresh_token_types (value, comment) values
  ('regular', 'Regular refresh token'), ('pat', 'Personal access token');
