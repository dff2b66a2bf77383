#include "log/snapshot_format.h"

struct removal {
    struct io *io;
    const struct snapshot_place *place;
};

static int found_file(void *context, const char *name)
{
    const struct removal *removal = context;
    char path[LOG_PATH_BYTES];
    uint32_t group;
    uint64_t index;

    if (log_snapshot_parse(name, &group, &index) != OK || group != removal->place->group ||
        index >= removal->place->index) {
        return OK;
    }
    int status = log_path_join(path, removal->place->folder, name);
    if (status == OK) {
        status = io_file_remove(removal->io, path);
    }
    return status == ERR_GONE ? OK : status;
}

static int name_file(struct io *io, const struct snapshot_place *place, const char **operation)
{
    char name[LOG_SNAPSHOT_NAME_BYTES];
    char path[LOG_PATH_BYTES];

    *operation = "rename";
    log_snapshot_name(place->group, place->index, name);
    int status = log_path_join(path, place->folder, name);
    if (status == OK) {
        status = io_file_rename(io, place->temporary, path);
    }
    if (status == OK) {
        *operation = "sync the folder";
        status = io_folder_sync(io, place->folder);
    }
    return status;
}

int snapshot_publish(struct io *io, const struct snapshot_place *place, const char **operation)
{
    struct removal removal = {io, place};

    int status = name_file(io, place, operation);
    if (status == OK) {
        *operation = "remove an older one in";
        status = io_folder_list(io, place->folder, found_file, &removal);
    }
    if (status == OK) {
        *operation = "sync the folder";
        status = io_folder_sync(io, place->folder);
    }
    return status;
}
