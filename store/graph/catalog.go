package graph

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A catalog is what Postgres knows about the tables that the graph shows, as pg_catalog says it.
type catalog struct {
	Tables  []catalogTable
	Columns []catalogColumn
	Types   []catalogType
	Keys    []catalogKey
}

type catalogTable struct {
	OID          uint32
	Schema, Name string
	Comment      string
}

type catalogColumn struct {
	Table    uint32
	Num      int16
	Name     string
	Type     uint32
	NotNull  bool
	Readable bool // by the role that asks
	Comment  string
}

type catalogType struct {
	OID          uint32
	Schema, Name string
	Kind         string // pg_type.typtype: b base, c composite, d domain, e enum, r range, m multirange, p pseudo
	Base         uint32 // of a domain
	Element      uint32 // of an array
	Ordered      bool   // has a default btree order of its own
}

type catalogKey struct {
	Table     uint32
	Name      string
	Kind      string // pg_constraint.contype: p primary, u unique, f foreign
	Columns   []int16
	Target    uint32 // of a foreign key
	ToColumns []int16
}

// catalogSQL reads everything at once, so that tables and keys are of one moment.
// $1: the tables of schema auth that are shown; $2: the other schemas that are shown, null for all.
const catalogSQL = `
with recursive tables as (
  select c.oid, n.nspname, c.relname
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    and case when n.nspname = 'auth' then c.relname = any ($1::text[])
      when $2::text[] is null then n.nspname not in ('information_schema', 'hdb_catalog', 'hdb_views', 'postern_river')
        and n.nspname not like 'pg\_%'
      else n.nspname = any ($2::text[]) end
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
), columns as (
  select a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull
  from pg_catalog.pg_attribute a
  join tables t on t.oid = a.attrelid
  where a.attnum > 0 and not a.attisdropped
), types (oid) as (
  select atttypid from columns
  union
  select case t.typtype when 'd' then t.typbasetype else t.typelem end
  from types
  join pg_catalog.pg_type t on t.oid = types.oid
  where t.typtype = 'd' or t.typcategory = 'A' and t.typelem <> 0
)
select json_build_object(
  'tables', (select json_agg(json_build_object('oid', t.oid::int8, 'schema', t.nspname, 'name', t.relname,
      'comment', coalesce(pg_catalog.obj_description(t.oid, 'pg_class'), '')) order by t.nspname, t.relname)
    from tables t),
  'columns', (select json_agg(json_build_object('table', c.attrelid::int8, 'num', c.attnum, 'name', c.attname,
      'type', c.atttypid::int8, 'notNull', c.attnotnull,
      'readable', pg_catalog.has_column_privilege(c.attrelid, c.attnum, 'select'),
      'comment', coalesce(pg_catalog.col_description(c.attrelid, c.attnum), '')) order by c.attrelid, c.attnum)
    from columns c),
  'types', (select json_agg(json_build_object('oid', t.oid::int8, 'schema', n.nspname, 'name', t.typname,
      'kind', t.typtype, 'base', t.typbasetype::int8,
      'element', case when t.typcategory = 'A' then t.typelem::int8 else 0 end,
      'ordered', exists (select from pg_catalog.pg_opclass o
        join pg_catalog.pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
        where o.opcintype = t.oid and o.opcdefault)))
    from types u
    join pg_catalog.pg_type t on t.oid = u.oid
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace),
  'keys', (select json_agg(json_build_object('table', k.conrelid::int8, 'name', k.conname, 'kind', k.contype,
      'columns', k.conkey, 'target', k.confrelid::int8, 'toColumns', k.confkey) order by k.conrelid, k.conname)
    from pg_catalog.pg_constraint k
    join tables t on t.oid = k.conrelid
    where k.contype in ('p', 'u') or k.contype = 'f' and k.confrelid in (select oid from tables) and k.conparentid = 0)
)::text`

func readCatalog(ctx context.Context, pool *pgxpool.Pool, authTables, schemas []string) (*catalog, error) {
	var text string
	if err := pool.QueryRow(ctx, catalogSQL, authTables, schemas).Scan(&text); err != nil {
		return nil, err
	}
	var c catalog
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return nil, fmt.Errorf("graph: the catalog cannot be read: %w", err)
	}
	return &c, nil
}
