#include "carillon/bench_disk.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { FLOOR_WRITE_BYTES = 4096, FLOOR_FILE_BYTES = 4 << 20, FLOOR_PATH_BYTES = 1024 };

static int zero_fill(struct io *io, struct io_file *file)
{
    static const uint8_t zeros[64 << 10];

    for (uint64_t at = 0; at < FLOOR_FILE_BYTES; at += sizeof zeros) {
        int rc = io_file_write(io, file, at, zeros, sizeof zeros);

        if (rc != OK) {
            return rc;
        }
    }
    return io_file_sync(io, file);
}

static int overwrite(struct io *io, struct io_file *file, uint32_t count,
                     struct bench_histogram *histogram)
{
    uint8_t block[FLOOR_WRITE_BYTES];

    memset(block, 'x', sizeof block);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)i * FLOOR_WRITE_BYTES % FLOOR_FILE_BYTES;
        uint64_t start_ns = io_now_exact_ns(io);
        int rc = io_file_write(io, file, at, block, sizeof block);

        if (rc == OK) {
            rc = io_file_sync(io, file);
        }
        if (rc != OK) {
            return rc;
        }
        bench_histogram_add(histogram, io_now_exact_ns(io) - start_ns);
    }
    return OK;
}

int bench_disk_floor(struct io *io, const char *folder, uint32_t count,
                     struct bench_histogram *histogram)
{
    char path[FLOOR_PATH_BYTES];
    struct io_file *file;

    snprintf(path, sizeof path, "%s/floor", folder);
    int rc = io_file_open(io, path, IO_OPEN_CREATE, &file);
    if (rc != OK) {
        return rc;
    }
    rc = zero_fill(io, file);
    if (rc == OK) {
        rc = overwrite(io, file, count, histogram);
    }
    io_file_close(io, file);
    int removed = io_file_remove(io, path);
    return rc == OK ? removed : rc;
}

/* ---- conditions ---- */

static void read_cpu(char out[BENCH_CONDITION_BYTES])
{
    FILE *in = fopen("/proc/cpuinfo", "r");
    char line[512];

    snprintf(out, BENCH_CONDITION_BYTES, "unknown");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        struct slice name, value;

        slice_cut(slice_from_text(line), ':', &name, &value);
        if (slice_is_equal(slice_trim(name), SLICE_LITERAL("model name"))) {
            value = slice_trim(value);
            snprintf(out, BENCH_CONDITION_BYTES, "%.*s", (int)value.len,
                     (const char *)value.data);
            break;
        }
    }
    if (in != NULL) {
        (void)fclose(in); /* it was only read */
    }
}

static void read_file_system(const char *folder, char out[BENCH_CONDITION_BYTES])
{
    static const struct {
        uint32_t magic;
        const char *name;
    } known[] = {
        {0xEF53,     "ext4"   },
        {0x58465342, "xfs"    },
        {0x9123683E, "btrfs"  },
        {0x01021994, "tmpfs"  },
        {0x794c7630, "overlay"},
        {0x2fc12fc1, "zfs"    },
        {0x6969,     "nfs"    },
        {0xF2F52010, "f2fs"   }
    };
    struct statfs status;

    snprintf(out, BENCH_CONDITION_BYTES, "unknown");
    if (statfs(folder, &status) != 0) {
        return;
    }
    snprintf(out, BENCH_CONDITION_BYTES, "type 0x%lx", (unsigned long)status.f_type);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].magic == (uint32_t)status.f_type) {
            snprintf(out, BENCH_CONDITION_BYTES, "%s", known[i].name);
        }
    }
}

void bench_conditions_read(const char *folder, struct bench_conditions *ret_conditions)
{
    struct bench_conditions *conditions = ret_conditions;
    struct utsname system;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    *conditions = (struct bench_conditions){.cores = cores > 0 ? (uint32_t)cores : 0};
    conditions->memory_bytes =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    read_cpu(conditions->cpu);
    read_file_system(folder, conditions->file_system);
    if (uname(&system) == 0) {
        snprintf(conditions->kernel, sizeof conditions->kernel, "%.31s %.63s", system.sysname,
                 system.release);
    } else {
        snprintf(conditions->kernel, sizeof conditions->kernel, "unknown");
    }
}
