/* Files and folders that cannot be read: each is told once until it changes, and counted. */
#include "tail_internal.h"

#include <stdlib.h>

static struct told *find_told(struct tail *tail, const char *path)
{
    for (int i = 0; i < tail->told_count; i++)
        if (strcmp(tail->told[i].path, path) == 0)
            return &tail->told[i];
    return NULL;
}

static struct told *add_told(struct tail *tail, const char *path)
{
    char *copy = tail->told_count < TAIL_TOLD_MAX ? strdup(path) : NULL;

    if (!copy)
        return NULL;
    tail->told[tail->told_count] = (struct told){.path = copy};
    return &tail->told[tail->told_count++];
}

void tail_tell(struct tail *tail, const struct problem *problem, const char *path)
{
    struct told *told = find_told(tail, path);

    tail->unreadable++;
    if (tail->first_unreadable == ERR_NONE)
        tail->first_unreadable = problem->error;
    if (!told)
        told = add_told(tail, path);
    if (!told)
        return;
    told->look = tail->look;
    if (told->error != problem->error && tail->on_problem)
        tail->on_problem(tail->on_problem_context, problem);
    told->error = problem->error;
}

void tail_forget_told(struct tail *tail)
{
    for (int i = 0; i < tail->told_count;) {
        if (tail->told[i].look == tail->look) {
            i++;
            continue;
        }
        free(tail->told[i].path);
        tail->told[i] = tail->told[--tail->told_count];
    }
}
