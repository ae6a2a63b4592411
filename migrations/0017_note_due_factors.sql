-- A session that was opened by one factor, of a user who has a second: clients of Supabase's dialect prove that
-- one within the session. Until they do, such a session is good for nothing at the other doors.

-- +goose Up

alter table auth.refresh_tokens add column factor_due boolean not null default false;
