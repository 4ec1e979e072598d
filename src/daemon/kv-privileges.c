/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-privileges.h"

#include "kv-error.h"
#include "kv-store.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSWD_BUFFER_BYTES 16384

static gboolean
find_user(uid_t *uid, gid_t *gid, GError **error)
{
    g_autofree char *buf = g_malloc(PASSWD_BUFFER_BYTES);
    struct passwd entry;
    struct passwd *found = NULL;
    int errnum = getpwnam_r(KV_PRIVILEGES_USER, &entry, buf, PASSWD_BUFFER_BYTES, &found);

    if (found == NULL && errnum != 0) {
        kv_error_set_errno(error, errnum, "the user \"%s\" cannot be looked up",
                           KV_PRIVILEGES_USER);
        return FALSE;
    }
    if (found == NULL || found->pw_uid == 0) {
        g_set_error(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                    "the daemon does not work as root, and there is no user \"%s\" to work as; "
                    "run: systemd-sysusers, or: useradd --system --no-create-home %s",
                    KV_PRIVILEGES_USER, KV_PRIVILEGES_USER);
        return FALSE;
    }
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return TRUE;
}

/* The folder of saved tunnels, which systemd would have made. */
static gboolean
prepare_folder(const char *path, uid_t uid, gid_t gid, GError **error)
{
    kv_autofd int fd = -1;
    struct stat st;

    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        kv_error_set_errno(error, errno, "%s: cannot be made", path);
        return FALSE;
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        kv_error_set_errno(error, errno, "%s: cannot be opened", path);
        return FALSE;
    }
    if (st.st_uid == uid && st.st_gid == gid && (st.st_mode & ALLPERMS) == 0700)
        return TRUE;
    if (fchown(fd, uid, gid) < 0 || fchmod(fd, 0700) < 0) {
        kv_error_set_errno(error, errno, "%s: cannot be given to the user \"%s\"", path,
                           KV_PRIVILEGES_USER);
        return FALSE;
    }
    return TRUE;
}

static gboolean
become(uid_t uid, gid_t gid, GError **error)
{
    int result;

    capng_clear(CAPNG_SELECT_BOTH);
    result = capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
    if (result == 0)
        result = capng_change_id((int) uid, (int) gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (result != 0 || geteuid() != uid || !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN)) {
        g_set_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED,
                    "the daemon cannot become the user \"%s\" with CAP_NET_ADMIN (step %d failed); "
                    "it needs CAP_SETUID, CAP_SETGID, CAP_SETPCAP and CAP_NET_ADMIN to start as "
                    "root",
                    KV_PRIVILEGES_USER, -result);
        return FALSE;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        kv_error_set_errno(error, errno, "no_new_privs");
        return FALSE;
    }
    return TRUE;
}

/* What others run as our user must not read secrets in our memory, and no core shall have them. The
 * kernel does the same for whoever changes its user, but not if systemd has done that. */
static gboolean
close_memory(GError **error)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        return TRUE;
    kv_error_set_errno(error, errno, "the memory cannot be closed to others");
    return FALSE;
}

gboolean
kv_privileges_drop(GError **error)
{
    g_autofree char *folder = NULL;
    uid_t uid;
    gid_t gid;

    if (geteuid() != 0)
        return close_memory(error);
    folder = kv_store_get_own_folder();
    return find_user(&uid, &gid, error) && prepare_folder(folder, uid, gid, error) &&
           become(uid, gid, error) && close_memory(error);
}
