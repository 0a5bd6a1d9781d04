#define _GNU_SOURCE /* asprintf, memrchr */
#include "discover.h"

#include "liblog/base/cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>

/* ---- names ---- */

enum { NUMBER_DIGITS_MAX = 6, DATE_DIGITS_MIN = 8, DATE_DIGITS_MAX = 18 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ends_with(struct slice s, const char *end)
{
    struct slice e = slice_of(end);
    return s.size > e.size && memcmp(s.data + s.size - e.size, e.data, e.size) == 0;
}

static struct slice without_compression(struct slice name)
{
    static const char *const endings[] = {".gz", ".zst", ".GZ"};

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
        if (ends_with(name, endings[i]))
            return slice_from(name.data, name.size - strlen(endings[i]));
    return name;
}

bool name_is_compressed(const char *path, const char *plain)
{
    struct slice whole = slice_of(path), stem = without_compression(whole);
    return stem.size < whole.size && slice_equal(stem, slice_of(plain));
}

/* `text` as a date's digits (2025-10-19_14-30 and the like): at least eight, only marks between them. */
static bool date_of(struct slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    int digits = 0;

    for (size_t i = 0; i < text.size; i++) {
        if (is_digit(text.data[i]) && ++digits <= DATE_DIGITS_MAX)
            number = number * 10 + (uint64_t)(text.data[i] - '0');
        else if (is_digit(text.data[i]) || !strchr("-_.:T", text.data[i]))
            return false;
    }
    if (digits < DATE_DIGITS_MIN || !is_digit(text.data[0]))
        return false;
    while (digits++ < DATE_DIGITS_MAX) /* a day and a minute of it compare by their first digits */
        number *= 10;
    *ret_number = number;
    return true;
}

static bool number_of(struct slice text, uint64_t *ret_number)
{
    uint64_t number = 0;

    if (text.size == 0 || text.size > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i]))
            return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

static void set_live_name(char out[static FAMILY_NAME_MAX], struct slice stem, struct slice extension)
{
    int stem_size = (int)(stem.size < FAMILY_NAME_MAX ? stem.size : FAMILY_NAME_MAX - 1);
    snprintf(out, FAMILY_NAME_MAX, "%.*s%.*s", stem_size, stem.data, (int)extension.size,
             extension.size ? extension.data : "");
}

/* app.log.1, app.log-20251019: what follows the last live name's end. Tries every separator, the first one
 * first. */
static bool split_suffix(struct slice name, struct generation *ret_generation, size_t *ret_stem_size)
{
    for (size_t i = 1; i + 1 < name.size; i++) {
        struct slice rest = slice_from(name.data + i + 1, name.size - i - 1);
        if (!strchr("-._", name.data[i]))
            continue;
        *ret_stem_size = i;
        ret_generation->kind = GENERATION_DATED;
        if (date_of(rest, &ret_generation->number))
            return true;
        ret_generation->kind = GENERATION_NUMBERED;
        if (name.data[i] == '.' && number_of(rest, &ret_generation->number))
            return true;
    }
    return false;
}

/* logrotate's `create` that finds a new log already there, made by the program itself, moves it to
 * app.log-2025101914.backup. */
static struct slice without_backup(struct slice name)
{
    static const char backup[] = ".backup";
    struct slice rest = slice_from(name.data, name.size - (ends_with(name, backup) ? sizeof(backup) - 1 : 0));
    struct generation generation;
    size_t stem_size;

    return split_suffix(rest, &generation, &stem_size) ? rest : name;
}

struct generation generation_of(struct slice full_name, char ret_live_name[static FAMILY_NAME_MAX])
{
    struct slice name = without_backup(without_compression(full_name));
    struct generation generation = {0};
    size_t stem_size;

    if (split_suffix(name, &generation, &stem_size)) {
        set_live_name(ret_live_name, slice_from(name.data, stem_size), SLICE(""));
        return generation;
    }
    /* app-20251019.log: the date stands before the extension. A number there (worker.1.log) is part of a
     * name. */
    const char *dot = memrchr(name.data, '.', name.size);
    size_t before = dot ? (size_t)(dot - name.data) : 0;
    if (before > 0 && split_suffix(slice_from(name.data, before), &generation, &stem_size) &&
        generation.kind == GENERATION_DATED) {
        set_live_name(ret_live_name, slice_from(name.data, stem_size), slice_from(dot, name.size - before));
        return generation;
    }
    set_live_name(ret_live_name, name, SLICE(""));
    /* app.log.gz was made of app.log: the youngest of the older ones. */
    return (struct generation){.kind = name.size < full_name.size ? GENERATION_NUMBERED : GENERATION_LIVE};
}

int generation_compare(struct generation a, struct generation b)
{
    if (a.kind != b.kind)
        return a.kind < b.kind ? -1 : 1;
    if (a.number == b.number)
        return 0;
    bool a_is_older = a.kind == GENERATION_NUMBERED ? a.number > b.number : a.number < b.number;
    return a_is_older ? -1 : 1;
}

/* ---- patterns ---- */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Hidden files match only where the pattern says the dot. A name with brackets in it also means itself. */
static bool name_matches(const char *pattern, const char *name)
{
    return fnmatch(pattern, name, FNM_PERIOD) == 0 || strcmp(pattern, name) == 0;
}

static bool is_excluded(const struct config_input *input, const char *path, const char *name)
{
    for (int i = 0; i < input->exclude_count; i++) {
        const char *pattern = input->exclude[i];
        if (fnmatch(pattern, strchr(pattern, '/') ? path : name, 0) == 0)
            return true;
    }
    return false;
}

enum match { MATCH_NONE, MATCH_REST, MATCH_FILE };

/* How a name in a folder belongs to one pattern of an input. */
static enum match match_name(const struct config_input *input, const char *pattern, const char *name)
{
    char live_name[FAMILY_NAME_MAX];

    if (name_matches(pattern, name))
        return MATCH_FILE;
    if (generation_of(slice_of(name), live_name).kind == GENERATION_LIVE)
        return MATCH_NONE;
    if (!name_matches(pattern, live_name))
        return MATCH_NONE;
    if (input->exact)
        return MATCH_REST;
    return input->rotated ? MATCH_FILE : MATCH_NONE;
}

bool discover_wants(const struct config_input *inputs, int input_count, const char *name)
{
    for (int i = 0; i < input_count; i++)
        for (int j = 0; j < inputs[i].path_count; j++)
            if (match_name(&inputs[i], name_of(inputs[i].paths[j]), name) != MATCH_NONE)
                return true;
    return false;
}

/* ---- the walk ---- */

/* Where an own file is or will be. A path may be spelt in many ways, a folder has one inode. */
struct own_place {
    bool is_there, has_folder;
    struct stat file, folder;
    char name[NAME_MAX + 1];
};

/* One discover() on its way. */
struct walk {
    const struct discover_options *options;
    struct found found;
    size_t capacity;
    struct own_place *own; /* own_file_count of them */
    struct stat folder;    /* the one that is listed now */
    bool no_memory;
};

static void tell(struct walk *walk, int errno_value, const char *what, const char *path)
{
    struct problem problem;

    problem_from_errno(&problem, errno_value, what, path);
    walk->found.incomplete = true;
    walk->options->on_problem(walk->options->context, &problem, path);
}

static char *join(const char *folder, const char *name)
{
    char *path;

    if (folder[0] == '\0')
        return strdup(name);
    bool slash = folder[strlen(folder) - 1] == '/';
    return asprintf(&path, "%s%s%s", folder, slash ? "" : "/", name) < 0 ? NULL : path;
}

static bool is_one_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* `name` is the own file's, that of one which SQLite keeps beside it, or of a rotated one. */
static bool belongs_to(const char *name, const char *live_name, const char *own)
{
    static const char *const beside[] = {"", "-wal", "-shm", "-journal"};
    size_t size = strlen(own);

    if (strcmp(live_name, own) == 0)
        return true;
    for (size_t i = 0; strncmp(name, own, size) == 0 && i < sizeof(beside) / sizeof(beside[0]); i++)
        if (strcmp(name + size, beside[i]) == 0)
            return true;
    return false;
}

static bool is_own(const struct walk *walk, const char *name, const char *live_name, const struct stat *st)
{
    for (int i = 0; i < walk->options->own_file_count; i++) {
        const struct own_place *own = &walk->own[i];
        if (own->is_there && is_one_file(&own->file, st))
            return true;
        if (own->has_folder && is_one_file(&own->folder, &walk->folder) &&
            belongs_to(name, live_name, own->name))
            return true;
    }
    return false;
}

static bool is_inside(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && (path[size] == '/' || (size && folder[size - 1] == '/'));
}

/* Whether the target lies in one of the folders that this input lists itself. */
static bool target_is_inside(const struct walk *walk, int input, const char *path)
{
    _cleanup_free_ char *target = realpath(path, NULL);

    for (size_t i = 0; target && i < walk->found.folder_count; i++) {
        if (walk->found.folders[i].input != input)
            continue;
        const char *name = walk->found.folders[i].path;
        _cleanup_free_ char *folder = realpath(name[0] ? name : ".", NULL);
        if (folder && is_inside(target, folder))
            return true;
    }
    return false;
}

/* What a symbolic link leads to, when it may be followed: 1 with the target's facts, else 0. */
static int follow_link(struct walk *walk, int input, const char *path, const struct stat *link,
                       struct stat *ret_st)
{
    struct stat st;

    if (stat(path, &st) < 0) {
        walk->found.dangles = true;
        if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
            tell(walk, errno, "cannot look at", path);
        return 0;
    }
    if (!walk->options->inputs[input].follow_symlinks && st.st_uid != link->st_uid &&
        !target_is_inside(walk, input, path))
        return 0;
    *ret_st = st;
    return 1;
}

static struct found_file *next_file(struct walk *walk)
{
    struct found *found = &walk->found;

    if (found->count == walk->capacity) {
        size_t capacity = walk->capacity ? 2 * walk->capacity : 64;
        void *grown = realloc(found->files, capacity * sizeof(*found->files));
        if (!grown)
            return NULL;
        found->files = grown;
        walk->capacity = capacity;
    }
    return &found->files[found->count];
}

static void add_file(struct walk *walk, const struct found_file *file)
{
    struct found_file *place = next_file(walk);

    if (!place || !file->path || !file->family) {
        free(file->path);
        free(file->family);
        walk->no_memory = true;
        return;
    }
    *place = *file;
    walk->found.count++;
}

static void consider(struct walk *walk, int input, const char *folder, const char *name, enum match match)
{
    char live_name[FAMILY_NAME_MAX];
    struct generation generation = generation_of(slice_of(name), live_name);
    _cleanup_free_ char *path = join(folder, name), *family = join(folder, live_name);
    struct stat st, link;

    if (!path || !family) {
        walk->no_memory = true;
        return;
    }
    if (is_excluded(&walk->options->inputs[input], path, name) ||
        is_excluded(&walk->options->inputs[input], family, live_name))
        return;
    if (lstat(path, &link) < 0) {
        if (errno != ENOENT) /* gone between the listing and now */
            tell(walk, errno, "cannot look at", path);
        return;
    }
    st = link;
    if (S_ISLNK(link.st_mode) && !follow_link(walk, input, path, &link, &st))
        return;
    if (!S_ISREG(st.st_mode) || is_own(walk, name, live_name, &st))
        return;
    struct found_file file = {
        .path = take_pointer(path),
        .family = take_pointer(family),
        .generation = generation,
        .input = input,
        .rest_only = match == MATCH_REST,
        .is_link = S_ISLNK(link.st_mode),
        .has_more_names = st.st_nlink > 1,
        .device = st.st_dev,
        .inode = st.st_ino,
        .size = (uint64_t)st.st_size,
        .modified_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec,
    };
    add_file(walk, &file);
}

static void cleanup_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static void list_folder(struct walk *walk, int input, const char *pattern, const char *folder)
{
    _cleanup_(cleanup_closedir) DIR *dir = opendir(folder[0] ? folder : ".");
    const struct dirent *entry;

    if (!dir) {
        if (errno != ENOENT && errno != ENOTDIR)
            tell(walk, errno, "cannot list the folder", folder[0] ? folder : ".");
        return;
    }
    if (fstat(dirfd(dir), &walk->folder) < 0)
        walk->folder = (struct stat){0};
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        enum match match = entry->d_type == DT_DIR
                               ? MATCH_NONE
                               : match_name(&walk->options->inputs[input], pattern, entry->d_name);
        if (match != MATCH_NONE)
            consider(walk, input, folder, entry->d_name, match);
    }
    if (errno)
        tell(walk, errno, "cannot list the folder", folder[0] ? folder : ".");
}

static void add_folder(struct walk *walk, int input, const char *path)
{
    struct found *found = &walk->found;
    void *grown = realloc(found->folders, (found->folder_count + 1) * sizeof(*found->folders));
    char *copy = strdup(path);

    if (grown)
        found->folders = grown;
    if (!grown || !copy) {
        free(copy);
        walk->no_memory = true;
        return;
    }
    found->folders[found->folder_count++] = (struct found_folder){.path = copy, .input = input};
}

static void cleanup_globfree(glob_t *found)
{
    globfree(found);
}

/* The folder part of a pattern, without its last slashes unless it is the root; empty when there is none. */
static char *folder_of(const char *pattern)
{
    const char *slash = strrchr(pattern, '/');

    if (!slash)
        return strdup("");
    while (slash > pattern && slash[-1] == '/')
        slash--;
    return strndup(pattern, slash == pattern ? 1 : (size_t)(slash - pattern));
}

/* Adds the folders that the pattern's folder part means. */
static void expand_folders(struct walk *walk, int input, const char *pattern)
{
    _cleanup_free_ char *folder = folder_of(pattern);
    _cleanup_(cleanup_globfree) glob_t matches = {0};

    if (!folder) {
        walk->no_memory = true;
        return;
    }
    if (!strpbrk(folder, "*?[") || access(folder, F_OK) == 0) {
        add_folder(walk, input, folder);
        return;
    }
    int result = glob(folder, GLOB_ONLYDIR | GLOB_ERR, NULL, &matches);
    if (result ==
        GLOB_ABORTED) { /* some folder above cannot be listed: say so, and take what the others hold */
        tell(walk, errno ? errno : EACCES, "cannot list a folder of", folder);
        globfree(&matches);
        matches = (glob_t){0};
        result = glob(folder, GLOB_ONLYDIR, NULL, &matches);
    }
    walk->no_memory = walk->no_memory || result == GLOB_NOSPACE;
    for (size_t i = 0; result == 0 && i < matches.gl_pathc; i++)
        add_folder(walk, input, matches.gl_pathv[i]);
}

/* Folders first, all of an input's, since a link may lead into any of them. */
static void walk_input(struct walk *walk, int input)
{
    const struct config_input *config = &walk->options->inputs[input];
    size_t at = walk->found.folder_count, ends[CONFIG_PATHS_MAX];

    for (int i = 0; i < config->path_count; i++) {
        expand_folders(walk, input, config->paths[i]);
        ends[i] = walk->found.folder_count;
    }
    for (int i = 0; i < config->path_count; i++)
        for (; at < ends[i]; at++)
            list_folder(walk, input, name_of(config->paths[i]), walk->found.folders[at].path);
}

/* A path of the kernel's (/proc/self/fd/1) tells where the file is by being resolved; one that does not lead
 * to anything yet tells its folder. */
static void find_own(struct own_place *own, const char *path)
{
    _cleanup_free_ char *resolved = realpath(path, NULL);
    _cleanup_free_ char *folder = folder_of(resolved ? resolved : path);

    own->is_there = stat(path, &own->file) == 0;
    own->has_folder = folder && stat(folder[0] ? folder : ".", &own->folder) == 0;
    snprintf(own->name, sizeof(own->name), "%s", name_of(resolved ? resolved : path));
}

static int load_own(struct walk *walk)
{
    const struct discover_options *options = walk->options;

    walk->own = calloc((size_t)options->own_file_count + 1, sizeof(*walk->own));
    for (int i = 0; walk->own && i < options->own_file_count; i++)
        find_own(&walk->own[i], options->own_files[i]);
    return walk->own ? 0 : -1;
}

/* ---- order ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* One file under several names: the true name before links, the first input, a match before a mere rest. */
static int compare_identity(const void *left, const void *right)
{
    const struct found_file *a = left, *b = right;
    int order = compare_u64(a->inode, b->inode);

    order = order ? order : compare_u64(a->device, b->device);
    order = order ? order : (int)a->rest_only - (int)b->rest_only;
    order = order ? order : a->input - b->input;
    order = order ? order : (int)a->is_link - (int)b->is_link;
    return order ? order : strcmp(a->path, b->path);
}

static int compare_age(const void *left, const void *right)
{
    const struct found_file *a = left, *b = right;
    int order = a->input - b->input;

    order = order ? order : strcmp(a->family, b->family);
    order = order ? order : generation_compare(a->generation, b->generation);
    return order ? order : strcmp(a->path, b->path);
}

static void release_file(struct found_file *file)
{
    free(file->path);
    free(file->family);
}

static void sort_found(struct found *found)
{
    size_t kept = 0;

    if (found->count == 0)
        return;
    qsort(found->files, found->count, sizeof(*found->files), compare_identity);
    for (size_t i = 1; i < found->count; i++) {
        struct found_file *last = &found->files[kept], *file = &found->files[i];
        if (last->inode == file->inode && last->device == file->device)
            release_file(file);
        else
            found->files[++kept] = *file;
    }
    found->count = kept + 1;
    qsort(found->files, found->count, sizeof(*found->files), compare_age);
}

void discover_release(struct found *found)
{
    for (size_t i = 0; i < found->count; i++)
        release_file(&found->files[i]);
    for (size_t i = 0; i < found->folder_count; i++)
        free(found->folders[i].path);
    free(found->files);
    free(found->folders);
    *found = (struct found){0};
}

int discover(const struct discover_options *options, struct problem *ret_problem, struct found *ret_found)
{
    struct walk walk = {.options = options};

    walk.no_memory = load_own(&walk) < 0;
    for (int i = 0; i < options->input_count && !walk.no_memory; i++)
        walk_input(&walk, i);
    free(walk.own);
    if (walk.no_memory) {
        discover_release(&walk.found);
        return problem_set(ret_problem, ERR_INT_002, "no memory is left to list the files");
    }
    sort_found(&walk.found);
    *ret_found = walk.found;
    return 0;
}

int discover_folders(const struct discover_options *options, struct problem *ret_problem,
                     struct found *ret_found)
{
    struct walk walk = {.options = options};

    for (int i = 0; i < options->input_count && !walk.no_memory; i++)
        for (int j = 0; j < options->inputs[i].path_count; j++)
            expand_folders(&walk, i, options->inputs[i].paths[j]);
    if (walk.no_memory) {
        discover_release(&walk.found);
        return problem_set(ret_problem, ERR_INT_002, "no memory is left to list the folders");
    }
    *ret_found = walk.found;
    return 0;
}
