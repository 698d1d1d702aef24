/* vpop/schema_defs.h - the tables of schema.h as arrays, for schema.c and
 * schema_plan.c alone. */
#ifndef VPOP_SCHEMA_DEFS_H
#define VPOP_SCHEMA_DEFS_H

#include "vpop/schema.h"

struct schema_table_def { const char *name, *keys; };
struct schema_column_def {
	enum schema_table table;
	const char *name;
	enum schema_kind kind;
	unsigned size;
	const char *attrs;
	enum schema_need need;
};
extern const struct schema_table_def schema_tables[SCHEMA_TABLE_COUNT];
extern const struct schema_column_def schema_columns[SCHEMA_COLUMN_COUNT];

/* Their number, or -1. */
int schema_column_find(enum schema_table, const char *name);
int schema_table_find(const char *name);
/* Bytes of a number's type, 0 when it is none. */
uint64_t schema_int_bytes(const char *data_type);

#endif
