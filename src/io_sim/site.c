/* io_sim/site.c -- the table of places in the code that make file calls, and whether each has
 * met a failure. */
#include <stdlib.h>

#include "base/assert.h"
#include "io_sim/io_sim_private.h"

struct site {
    const void *address; /* where the call returns to */
    enum io_sim_call kind;
    uint64_t calls;
    uint64_t failures;
};

struct io_sim_sites {
    struct site *sites; /* in the order first seen */
    size_t count;
    size_t cap;
};

static const char *const kinds[IO_SIM_CALL_NR] = {
    [IO_SIM_OPEN] = "open",
    [IO_SIM_READ] = "read",
    [IO_SIM_WRITE] = "write",
    [IO_SIM_SYNC] = "sync",
    [IO_SIM_SIZE] = "size",
    [IO_SIM_TRUNCATE] = "truncate",
    [IO_SIM_RENAME] = "rename",
    [IO_SIM_REMOVE] = "remove",
    [IO_SIM_FOLDER_MAKE] = "folder_make",
    [IO_SIM_FOLDER_SYNC] = "folder_sync",
    [IO_SIM_FOLDER_LIST] = "folder_list",
    [IO_SIM_FREE_BYTES] = "free_bytes",
    [IO_SIM_LOCK] = "lock",
};

extern const char __executable_start[]; /* by the linker: what addresses are relative to */

struct io_sim_sites *io_sim_sites_create(void)
{
    return io_sim__alloc(sizeof(struct io_sim_sites));
}

void io_sim_sites_destroy(struct io_sim_sites *sites)
{
    ASSERT(sites != NULL);
    free(sites->sites);
    free(sites);
}

static struct site *find(struct io_sim_sites *sites, const void *address, enum io_sim_call kind)
{
    for (size_t i = 0; i < sites->count; i++) {
        if (sites->sites[i].address == address && sites->sites[i].kind == kind) {
            return &sites->sites[i];
        }
    }
    sites->sites = io_sim__grow(sites->sites, sizeof(*sites->sites), sites->count, &sites->cap);
    struct site *site = &sites->sites[sites->count++];
    *site = (struct site){.address = address, .kind = kind};
    return site;
}

void io_sim__sites_note(struct io_sim_sites *sites, enum io_sim_call kind, bool has_failed)
{
    struct site *site = find(sites, io_call_site(), kind);
    site->calls++;
    site->failures += has_failed ? 1 : 0;
}

size_t io_sim_sites_seen(const struct io_sim_sites *sites)
{
    ASSERT(sites != NULL);
    return sites->count;
}

size_t io_sim_sites_failed(const struct io_sim_sites *sites)
{
    ASSERT(sites != NULL);
    size_t failed = 0;
    for (size_t i = 0; i < sites->count; i++) {
        failed += sites->sites[i].failures > 0 ? 1 : 0;
    }
    return failed;
}

int io_sim_sites_describe(const struct io_sim_sites *sites, struct buf *into)
{
    ASSERT(sites != NULL);
    ASSERT(into != NULL);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < sites->count; i++) {
        const struct site *site = &sites->sites[i];
        rc = buf_append_format(into, "%-12s calls %8llu failures %8llu at 0x%zx\n",
                               kinds[site->kind], (unsigned long long)site->calls,
                               (unsigned long long)site->failures,
                               (size_t)((const char *)site->address - __executable_start));
    }
    return rc;
}
