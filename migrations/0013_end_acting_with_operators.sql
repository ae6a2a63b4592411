-- Who acts in the place of a user does so for as long as they are an operator themselves.

-- +goose Up

-- actor_role is the role that the operator must hold, and actor_session_id the session that they came with, which
-- must be alive; null where none is needed, as with the admin secret. Nobody acts in the place of whoever holds one
-- of except_roles.
alter table auth.impersonations
  add column actor_role text,
  add column actor_session_id uuid,
  add column except_roles text[] not null default '{}';
create index impersonations_actor_id_idx on auth.impersonations (actor_id);
