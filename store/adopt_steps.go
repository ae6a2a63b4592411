package store

// A step is what one migration of Hasura Auth did, so that a schema that stopped before it becomes
// the one a fresh database has. Steps are taken only when the operator gives up the way back:
// Hasura Auth would take them itself, and could not do so twice.
type step struct {
	version int64
	does    string
	sql     string
}

// steps lists those that the database has not taken.
func (f finding) steps() []step {
	var pending []step
	for _, s := range hasuraAuthSteps {
		if s.version > f.version {
			pending = append(pending, s)
		}
	}
	return pending
}

// hasuraAuthSteps begins after migration 1, the first that any database has. From 16 on a step may
// find its work done.
var hasuraAuthSteps = []step{
	{2, "add auth.users.metadata", `alter table auth.users add column metadata jsonb`},
	{3, "add the providers discord and twitch", `insert into auth.providers (id) values ('discord'), ('twitch') on conflict do nothing`},
	{4, "put options into auth.provider_requests instead of redirect_url", `
		alter table auth.provider_requests drop column redirect_url, add column options jsonb`},
	{5, "comment on the tables", commentsSQL},
	{6, "add the table of passkeys and auth.users.webauthn_current_challenge", `
		alter table auth.users add column webauthn_current_challenge text;
		create table auth.user_authenticators (
			id uuid not null default public.gen_random_uuid() constraint user_authenticators_pkey primary key,
			user_id uuid not null,
			credential_id text not null,
			credential_public_key bytea,
			counter bigint not null default 0,
			transports varchar(255) not null default '',
			constraint user_authenticators_credential_id_key unique (credential_id),
			constraint fk_user foreign key (user_id) references auth.users (id) on update cascade on delete cascade
		)`},
	{7, "add nicknames of passkeys", `alter table auth.user_authenticators add column nickname text`},
	{8, "add the provider workos", `insert into auth.providers (id) values ('workos') on conflict do nothing`},
	{9, "rename auth.user_authenticators to auth.user_security_keys", `
		alter table auth.user_authenticators rename to user_security_keys;
		alter table auth.user_security_keys
			rename constraint user_authenticators_credential_id_key to user_security_key_credential_id_key;
		alter table auth.user_security_keys rename constraint user_authenticators_pkey to user_security_keys_pkey;
		comment on table auth.user_security_keys is
			'User webauthn security keys. Don''t modify its structure as Hasura Auth relies on it to function properly.'`},
	{10, "add the provider azuread", `insert into auth.providers (id) values ('azuread') on conflict do nothing`},
	{11, "keep a hash of each refresh token", `
		alter table auth.refresh_tokens add column refresh_token_hash varchar(255);
		update auth.refresh_tokens
		set refresh_token_hash = '\x' || encode(sha256(refresh_token::text::bytea), 'hex')`},
	{12, "add auth.refresh_tokens.metadata", `alter table auth.refresh_tokens add column metadata jsonb`},
	{13, "add auth.refresh_tokens.type", `alter table auth.refresh_tokens add column type text not null default 'regular'`},
	{14, "keep the types of refresh tokens in a table", refreshTokenTypesSQL},
	{15, "separate the id of a refresh token from the token", `
		alter table auth.refresh_tokens rename column refresh_token to id;
		comment on column auth.refresh_tokens.id is null;
		alter table auth.refresh_tokens
			alter column id set default gen_random_uuid(),
			alter column refresh_token_hash drop expression if exists`},
	{16, "index the hashes of refresh tokens", `
		create index if not exists refresh_tokens_refresh_token_hash_expires_at_user_id_idx
		on auth.refresh_tokens (refresh_token_hash, expires_at, user_id)`},
	{17, "let a user link two accounts of one provider", `
		alter table auth.user_providers drop constraint if exists user_providers_user_id_provider_id_key`},
	{18, "add the provider entraid", `insert into auth.providers (id) values ('entraid') on conflict do nothing`},
	{19, "allow locales of three letters", widenLocaleSQL},
}

// commentsSQL says what Hasura Auth says on the tables of its first migration.
const commentsSQL = `
	comment on table auth.provider_requests is 'Oauth requests, inserted before redirecting to the provider''s site. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.providers is 'List of available Oauth providers. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.roles is 'Persistent Hasura roles for users. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.users is 'User account information. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.refresh_tokens is 'User refresh tokens. Hasura auth uses them to rotate new access tokens as long as the refresh token is not expired. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.user_providers is 'Active providers for a given user. Don''t modify its structure as Hasura Auth relies on it to function properly.';
	comment on table auth.user_roles is 'Roles of users. Don''t modify its structure as Hasura Auth relies on it to function properly.'`

// refreshTokenTypesSQL replaces the enumeration of migration 13. The Node generation made that in
// whatever schema came first in the search path, the Go generation in auth; it is found through the
// column, and it stays when something else uses it.
const refreshTokenTypesSQL = `
	do $$
	declare
		enumeration oid;
	begin
		select atttypid into enumeration from pg_attribute
		where attrelid = 'auth.refresh_tokens'::regclass and attname = 'type';
		alter table auth.refresh_tokens alter column type drop default;
		alter table auth.refresh_tokens alter column type type text using type::text;
		alter table auth.refresh_tokens alter column type set default 'regular';
		if exists (select from pg_type where oid = enumeration and typtype = 'e')
			and not exists (select from pg_depend where refclassid = 'pg_type'::regclass and refobjid = enumeration
				and deptype = 'n')
		then
			execute 'drop type ' || enumeration::regtype::text;
		end if;
	end $$;
	create table auth.refresh_token_types (
		value text not null constraint refresh_token_types_pkey primary key,
		comment text
	);
	insert into auth.refresh_token_types (value, comment)
	values ('regular', 'Regular refresh token'), ('pat', 'Personal access token');
	alter table auth.refresh_tokens add constraint refresh_tokens_types_fkey foreign key (type)
		references auth.refresh_token_types (value) on update restrict on delete restrict`

// widenLocaleSQL leaves the column alone when it is wide enough, and when a view of the operator's
// stands on it: Postgres would refuse.
const widenLocaleSQL = `
	do $$
	begin
		if exists (select from pg_attribute where attrelid = 'auth.users'::regclass and attname = 'locale'
				and format_type(atttypid, atttypmod) = 'character varying(2)')
			and not exists (` + localeViewsSQL + `)
		then
			alter table auth.users alter column locale type varchar(3);
		end if;
	end $$`

// localeViewsSQL lists the views that stand on auth.users.locale.
const localeViewsSQL = `
	select format('%I.%I', v.relnamespace::regnamespace, v.relname) from pg_depend d
	join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
	join pg_class v on v.oid = r.ev_class
	join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
	where d.refclassid = 'pg_class'::regclass and d.refobjid = 'auth.users'::regclass and a.attname = 'locale'`
