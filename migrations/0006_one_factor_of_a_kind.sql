-- A user has one second factor of a kind, and enrols one at a time. The database sees to it, so that two
-- replicas that write a factor at the same moment do not write two.

-- +goose Up

drop index auth.factors_user_id_idx;
create unique index factors_user_id_kind_status_idx on auth.factors (user_id, kind, status);
