/* settings.h: every setting of a program as one row of a table, which gives --help, --set, config.json and checkpoint notes.
 * A struct of settings is a group; "optim.beta2" is field beta2 of group optim, and "beta2" alone finds it too. */
#ifndef SETTINGS_H
#define SETTINGS_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ssl.h"

typedef enum field_kind { INTEGER, NUMBER, NUMBER0, SEED, WORD, CHOICE } field_kind;
typedef struct field {
    const char *key;
    field_kind kind;     /* NUMBER0: a float whose 0 means "default", so that a real 0 is kept as SSL_EXPLICIT_ZERO */
    size_t offset;
    const char *choices; /* CHOICE: names of the values 0, 1, 2 ... */
    const char *doc;
} field;
typedef struct group { const char *name; const field *fields; int n; } group; /* name: "" or "optim." */
typedef struct table { int n; group groups[8]; void *bases[8]; } table;         /* groups with the structs they describe */
#define F(kind, type, member, doc)          { #member, kind, offsetof(type, member), NULL, doc }
#define F_AT(kind, type, key, member, doc)  { key, kind, offsetof(type, member), NULL, doc }
#define F_OF(type, member, choices, doc)    { #member, CHOICE, offsetof(type, member), choices, doc }
#define GROUP(name, fields)                 { name, fields, (int)(sizeof fields / sizeof *fields) }
#define WORD_SIZE 256

/* ---- one field: text to value and back ---- */
static int field_number(const field *f, void *at, const char *text)
{
    char *end;
    const double v = strtod(text, &end);
    const float x = f->kind == NUMBER0 && v == 0.0 ? SSL_EXPLICIT_ZERO : (float)v;
    if (end == text || *end || !(x - x == 0.0f) || (f->kind == NUMBER0 && v < 0.0)) return 0; /* finite as a float, too */
    memcpy(at, &x, sizeof x);
    return 1;
}
static int field_integer(const field *f, void *at, const char *text)
{
    char *end;
    const long long v = strtoll(text, &end, 10);
    const int i = (int)v;
    const uint64_t u = (uint64_t)v;
    if (end == text || *end || (f->kind == INTEGER ? (long long)i != v : v < 0)) return 0;
    memcpy(at, f->kind == INTEGER ? (const void *)&i : (const void *)&u, f->kind == INTEGER ? sizeof i : sizeof u);
    return 1;
}
static int field_choice(const field *f, void *at, const char *text)
{
    const char *p = f->choices;
    const size_t n = strlen(text);
    int i;
    for (i = 0; p; i++, p = strchr(p, '|'), p = p ? p + 1 : NULL)
        if (!strncmp(p, text, n) && (p[n] == '|' || !p[n])) { memcpy(at, &i, sizeof i); return 1; }
    return 0;
}
static int field_parse(const field *f, void *base, const char *text) /* 1, or 0 if the text does not fit */
{
    void *at = (char *)base + f->offset;
    if (f->kind == NUMBER || f->kind == NUMBER0) return field_number(f, at, text);
    if (f->kind == INTEGER || f->kind == SEED) return field_integer(f, at, text);
    if (f->kind == CHOICE) return field_choice(f, at, text);
    if (strlen(text) >= WORD_SIZE) return 0;
    memcpy(at, text, strlen(text) + 1);
    return 1;
}
static void number_text(float x, char buf[WORD_SIZE]) /* the fewest digits that give x again */
{
    int digits;
    for (digits = 6; digits <= 9; digits++) {
        snprintf(buf, WORD_SIZE, "%.*g", digits, (double)x);
        if (strtof(buf, NULL) == x) return;
    }
}
static const char *field_text(const field *f, const void *base, char buf[WORD_SIZE])
{
    const void *at = (const char *)base + f->offset;
    const char *p = f->choices;
    float x;
    uint64_t u;
    int i;
    switch (f->kind) {
    case WORD: snprintf(buf, WORD_SIZE, "%s", (const char *)at); break;
    case SEED: memcpy(&u, at, sizeof u); snprintf(buf, WORD_SIZE, "%llu", (unsigned long long)u); break;
    case NUMBER: case NUMBER0: memcpy(&x, at, sizeof x); number_text(x, buf); break;
    case INTEGER: memcpy(&i, at, sizeof i); snprintf(buf, WORD_SIZE, "%d", i); break;
    case CHOICE:
        memcpy(&i, at, sizeof i);
        for (; i > 0 && p; i--) p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL;
        snprintf(buf, WORD_SIZE, "%.*s", p ? (int)strcspn(p, "|") : 0, p ? p : "");
        break;
    }
    return buf;
}

/* Levenshtein's distance of two short words: how many letters to insert, delete or change. */
static int edit_distance(const char *a, const char *b)
{
    int row[64], i, j, diagonal, up;
    const int n = (int)strlen(b);
    if (n > 62) return 99;
    for (j = 0; j <= n; j++) row[j] = j;
    for (i = 1; *a; a++, i++) {
        diagonal = row[0];
        row[0] = i;
        for (j = 1; j <= n; j++) {
            up = row[j];
            row[j] = diagonal + (*a != b[j - 1]);
            if (up + 1 < row[j]) row[j] = up + 1;
            if (row[j - 1] + 1 < row[j]) row[j] = row[j - 1] + 1;
            diagonal = up;
        }
    }
    return row[n];
}

/* ---- tables ---- */
static const char *option_of(const char *key, char buf[WORD_SIZE + 2]) /* as it is written on the command line */
{
    size_t i, n = strlen(key);
    if (n >= WORD_SIZE) n = WORD_SIZE - 1;
    memcpy(buf, "--", 2);
    for (i = 0; i < n; i++) buf[2 + i] = key[i] == '_' ? '-' : key[i];
    buf[2 + n] = 0;
    return buf;
}
static void table_add(table *t, group g, void *base)
{
    t->groups[t->n] = g;
    t->bases[t->n++] = base;
}
/* "optim.beta2" or "beta2": full names first, then the first group that has a field of that name */
static const field *table_find(const table *t, const char *key, int *at)
{
    int pass, i, j;
    for (pass = 0; pass < 2; pass++)
        for (i = 0; i < t->n; i++) {
            const group *g = &t->groups[i];
            const size_t n = pass ? 0 : strlen(g->name);
            for (j = 0; j < g->n && !strncmp(key, g->name, n); j++) if (!strcmp(key + n, g->fields[j].key)) { *at = i; return &g->fields[j]; }
        }
    return NULL;
}
static const char *table_nearest(const table *t, const char *key) /* the field whose name is most like key, or NULL */
{
    const char *best = NULL;
    int i, j, least = 4;
    for (i = 0; i < t->n; i++)
        for (j = 0; j < t->groups[i].n; j++) {
            const int d = edit_distance(key, t->groups[i].fields[j].key);
            if (d < least) { best = t->groups[i].fields[j].key; least = d; }
        }
    return best;
}
static int table_set(const table *t, const char *key, const char *value) /* 1, or 0 after a message */
{
    static const char *const wanted[] = { "a whole number", "a number", "a number from 0", "a whole number from 0", "a shorter word", "one of" };
    char option[WORD_SIZE + 2];
    const char *near;
    int at;
    const field *f = table_find(t, key, &at);
    if (f && field_parse(f, t->bases[at], value)) return 1;
    if (f) { fprintf(stderr, "error: %s must be %s%s%s, not \"%s\"\n", option_of(key, option), wanted[f->kind], f->choices ? " " : "", f->choices ? f->choices : "", value); return 0; }
    near = table_nearest(t, key);
    fprintf(stderr, "error: there is no setting \"%s\"%s%s%s; --help lists all\n", key, near ? ": did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return 0;
}
static int table_set_all(const table *t, const char *text) /* "key=value key=value ..." */
{
    char key[WORD_SIZE], value[WORD_SIZE];
    int n;
    for (; sscanf(text, " %255[^= ]=%255[^ ]%n", key, value, &n) == 2; text += n) if (!table_set(t, key, value)) return 0;
    return 1;
}
typedef struct limit { const char *key; double least, most; const char *must; } limit; /* of a number or whole number */
static int table_check(const table *t, const limit *l, int n) /* 1, or 0 after a message */
{
    char text[WORD_SIZE], option[WORD_SIZE + 2];
    int i, at;
    for (i = 0; i < n; i++) {
        const field *f = table_find(t, l[i].key, &at);
        const double v = f ? strtod(field_text(f, t->bases[at], text), NULL) : 0.0;
        if (!f || (v >= l[i].least && v <= l[i].most)) continue;
        fprintf(stderr, "error: %s is %s: it must be %s\n", option_of(l[i].key, option), text, l[i].must);
        return 0;
    }
    return 1;
}
typedef void (*field_fn)(void *user, const char *name, const field *f, const char *text);
static void table_each(const table *t, field_fn fn, void *user) /* fn(full name, field, its value as text) */
{
    char name[WORD_SIZE], text[WORD_SIZE];
    int i, j;
    for (i = 0; i < t->n; i++)
        for (j = 0; j < t->groups[i].n; j++) {
            snprintf(name, sizeof name, "%s%s", t->groups[i].name, t->groups[i].fields[j].key);
            fn(user, name, &t->groups[i].fields[j], field_text(&t->groups[i].fields[j], t->bases[i], text));
        }
}
static void table_print_field(void *user, const char *name, const field *f, const char *text)
{
    char option[WORD_SIZE + 2];
    (void)user;
    printf("  %-28s %-10s %s%s%s\n", option_of(name, option), *text ? text : "-", f->doc, f->choices ? ": " : "", f->choices ? f->choices : "");
}
static inline void table_print(const table *t) { table_each(t, table_print_field, NULL); }

/* ---- the command line: --key value, --key=value, --set key=value, and flags without a value ---- */
typedef struct arguments { int n; char key[128][WORD_SIZE]; const char *value[128]; } arguments;
static int is_flag(const char *key) /* FLAGS: words that a program defines before it includes this */
{
    const size_t n = strlen(key);
    const char *p;
    for (p = FLAGS; *p; p += strspn(p, " ")) {
        const size_t m = strcspn(p, " ");
        if (m == n && !strncmp(p, key, n)) return 1;
        p += m;
    }
    return 0;
}
static int arguments_add(arguments *a, const char *text, const char *value) /* text: "key" with value, or "key=value" */
{
    const size_t n = strcspn(text, "=");
    size_t i;
    if (a->n == 128 || n >= WORD_SIZE) { fprintf(stderr, "error: too many or too long arguments\n"); return 0; }
    for (i = 0; i < n; i++) a->key[a->n][i] = text[i] == '-' ? '_' : text[i];
    a->key[a->n][n] = 0;
    a->value[a->n] = text[n] ? text + n + 1 : value;
    if (!a->value[a->n]) { fprintf(stderr, "error: %s needs a value\n", text); return 0; }
    a->n++;
    return 1;
}
static inline int arguments_parse(arguments *a, int argc, char **argv) /* 1, or 0 after a message */
{
    int i;
    a->n = 0;
    for (i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strncmp(argv[i], "--", 2) || !argv[i][2]) { fprintf(stderr, "error: \"%s\" is not an option: they read --key value; --help lists all\n", argv[i]); return 0; }
        if (!strcmp(argv[i], "--set")) {
            if (!next || !strchr(next, '=')) { fprintf(stderr, "error: --set needs key=value\n"); return 0; }
            if (!arguments_add(a, next, NULL)) return 0;
            i++;
        } else if (strchr(argv[i], '=') || is_flag(argv[i] + 2)) {
            if (!arguments_add(a, argv[i] + 2, "1")) return 0;
        } else {
            if (!arguments_add(a, argv[i] + 2, next)) return 0;
            i++;
        }
    }
    return 1;
}
static inline const char *arguments_find(const arguments *a, const char *key) /* the last value given, or NULL */
{
    int i;
    for (i = a->n - 1; i >= 0; i--) if (!strcmp(a->key[i], key)) return a->value[i];
    return NULL;
}
static int arguments_apply(const arguments *a, const table *t)
{
    int i, ok = 1;
    for (i = 0; i < a->n && ok; i++) if (!is_flag(a->key[i])) ok = table_set(t, a->key[i], a->value[i]);
    return ok;
}
#endif
