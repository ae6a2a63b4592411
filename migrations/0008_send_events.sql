-- How far the events of each user have got at each receiver. No table has a foreign key: events
-- outlive the users they speak of, and receivers come and go with the settings.

-- +goose Up

-- A receiver gets what happened since it was first seen in the settings.
create table auth.event_endpoints (
  name text primary key,
  since timestamptz not null
);

-- A lane is one user's events on their way to one receiver, one after the other.
create table auth.event_lanes (
  user_id uuid not null,
  endpoint text not null,
  sent bigint not null,           -- the last event that is done with, by its number
  due_at timestamptz,             -- when the next one may be sent; null while none waits
  claim uuid,                     -- of the server that sends it, until due_at
  attempts int not null default 0, -- failed ones, of the event that waits
  error text,                     -- of the last failed one
  primary key (user_id, endpoint)
);
create index event_lanes_due_at_idx on auth.event_lanes (endpoint, due_at) where due_at is not null;

-- A letter is an event outside its turn: given up, or asked for again.
create table auth.event_letters (
  user_id uuid not null,
  seq bigint not null,
  endpoint text not null,
  dead_at timestamptz,  -- when it was given up
  again_at timestamptz, -- when somebody asked for it again; it goes before what waits in the lane
  attempts int not null default 0,
  error text,
  primary key (user_id, endpoint, seq)
);
create index event_letters_dead_at_idx on auth.event_letters (dead_at) where dead_at is not null;
