-- A factor of the kind webauthn is a key of an authenticator. It is no passkey: nobody signs in by it alone, so it is not
-- where Hasura Auth looks for those.

-- +goose Up

create table auth.factor_keys (
  factor_id uuid primary key references auth.factors (id) on delete cascade,
  credential_id text not null, -- as the authenticator calls it, in base64url
  public_key bytea not null, -- COSE
  counter bigint not null, -- of signatures, where the authenticator counts them
  aaguid uuid, -- the model, where the authenticator tells it
  backup_eligible boolean not null,
  backed_up boolean not null,
  used_at timestamptz
);
create unique index factor_keys_credential_id_idx on auth.factor_keys (credential_id);
