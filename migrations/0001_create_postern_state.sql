-- Facts about this database that all replicas share, such as how it was adopted (store/adopt.go).

-- +goose Up

create table auth.postern_state (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null
);
