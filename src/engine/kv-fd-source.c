/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fd-source.h"

static gboolean
dispatch(GSource *source, GSourceFunc func, gpointer data)
{
    return func(data);
}

/* Without prepare and check GLib looks at the descriptor by itself, which is its cheapest way. */
static GSourceFuncs fd_source_funcs = {.dispatch = dispatch};

GSource *
kv_fd_source_new(int fd, KvFdSourceFunc func, gpointer data)
{
    GSource *source = g_source_new(&fd_source_funcs, sizeof(GSource));

    g_source_add_unix_fd(source, fd, G_IO_IN | G_IO_ERR | G_IO_HUP);
    /* Else GLib takes the descriptor out of its poll set while it dispatches, and wakes itself up
     * for that: three system calls each time. @func does not run the context, so it is safe. */
    g_source_set_can_recurse(source, TRUE);
    g_source_set_callback(source, func, data, NULL);
    return source;
}
