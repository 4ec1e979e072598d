/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

/* linkem: a bad link between two network namespaces, in user space. README.md has its use. */
#include "linkem-device.h"
#include "linkem-link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define IDLE_NS     200000000u /* how often the loops look whether to end */
#define COMMAND_MAX 240
#define INITIAL_MAX 64

typedef struct {
    double at; /* seconds */
    char command[COMMAND_MAX];
} Event;

typedef struct {
    const char *spec[2];
    const char *initial[INITIAL_MAX];
    int n_initial;
    const char *fifo, *counters;
    uint64_t seed;
    size_t held_max;
    int mtu, queue, threads, burst, seconds, priority;
    bool verbose, held;
} Options;

static LinkemLink *links[2];
static volatile sig_atomic_t stopped;
static uint64_t started, schedule_base;
static Options options = {.seed = 1,
                          .held_max = 262144,
                          .mtu = 1500,
                          .queue = 5000,
                          .threads = 1,
                          .burst = 64,
                          .priority = -15};
static Event *events;
static size_t n_events, next_event;

static const char usage[] =
    "linkem -a ns:if[:addr/len] -b ns:if[:addr/len] [-c 'both delay=25ms loss=1'] ...\n"
    "  -s seed  -f control fifo  -S schedule file (-H: hold it until the command 'go')\n"
    "  -m mtu (1500)  -q device queue (5000)  -n frames held at most per direction (262144)\n"
    "  -t threads 1|2  -B burst (64)  -d stop after so many seconds  -o counters file  -v\n"
    "  -p nice value (-15: the link must not wait for the programs it tests)\n"
    "settings: loss=% ge=p,r[,bad,good] burst=loss%,len delay= jitter=\n"
    "  jdist=uniform|normal|pareto order=1 reorder=% rdelay= dup=% corrupt=% cormode=raw|udp ce=%\n"
    "  rate=100mbit qbytes= qms= qpkts= overhead= down=1 maxlen= passarp=1\n"
    "  ecn=0|1|2|3|off noect=1\n"
    "commands: clear zero rewind stats [file] go quit\n";

static double
age(void)
{
    return (double) (linkem_now() - started) / 1e9;
}

static void
print_counters(FILE *file)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    for (int i = 0; i < 2; i++)
        linkem_link_print(links[i], file, age());
    fprintf(file, "{\"linkem\":\"cpu\",\"user\":%.3f,\"sys\":%.3f}\n",
            (double) use.ru_utime.tv_sec + (double) use.ru_utime.tv_usec / 1e6,
            (double) use.ru_stime.tv_sec + (double) use.ru_stime.tv_usec / 1e6);
    fflush(file);
}

/* Written beside and renamed: a reader that waits for the file sees all of it. */
static bool
save_counters(const char *path)
{
    char beside[512];
    FILE *file;

    snprintf(beside, sizeof(beside), "%s.tmp", path);
    file = fopen(beside, "w");
    if (file == NULL)
        return false;
    print_counters(file);
    return fclose(file) == 0 && rename(beside, path) == 0;
}

/* A word that stands alone. Returns: whether it is one. */
static bool
run_word(const char *word, int which)
{
    void (*action)(LinkemLink *) = NULL;

    if (strcmp(word, "quit") == 0)
        stopped = 1;
    else if (strcmp(word, "clear") == 0)
        action = linkem_link_clear;
    else if (strcmp(word, "zero") == 0)
        action = linkem_link_zero_counters;
    else if (strcmp(word, "rewind") == 0)
        action = linkem_link_rewind;
    else if (strcmp(word, "go") == 0) {
        schedule_base = linkem_now();
        options.held = false;
    } else
        return false;
    for (int i = 0; i < 2 && action != NULL; i++) {
        if (which & (1 << i))
            action(links[i]);
    }
    return true;
}

static bool
run_setting(char *word, int which)
{
    char *equals = strchr(word, '=');
    bool ok = equals != NULL;

    if (ok)
        *equals = '\0';
    for (int i = 0; i < 2 && ok; i++) {
        if (which & (1 << i))
            ok = linkem_link_set(links[i], word, equals + 1);
    }
    return ok;
}

static bool
run_command(const char *text)
{
    char line[512];
    char *save = NULL;
    int which = 3;
    bool ok = true;

    snprintf(line, sizeof(line), "%s", text);
    if (options.verbose)
        fprintf(stderr, "linkem: %.3f %s\n", age(), text);
    for (char *word = strtok_r(line, " \t\r\n", &save); word != NULL && *word != '#' && ok;
         word = strtok_r(NULL, " \t\r\n", &save)) {
        if (strcmp(word, "a2b") == 0)
            which = 1;
        else if (strcmp(word, "b2a") == 0)
            which = 2;
        else if (strcmp(word, "both") == 0)
            which = 3;
        else if (strcmp(word, "stats") == 0) {
            const char *path = strtok_r(NULL, " \t\r\n", &save);

            if (path == NULL)
                print_counters(stdout);
            else
                ok = save_counters(path);
            break;
        } else
            ok = run_word(word, which) || run_setting(word, which);
    }
    if (!ok)
        fprintf(stderr, "linkem: bad command: %s\n", text);
    return ok;
}

static int
compare_events(const void *a, const void *b)
{
    double x = ((const Event *) a)->at, y = ((const Event *) b)->at;

    return (x > y) - (x < y);
}

/* Lines such as "at 10s both loss=20" or "at t=10 loss=20%". */
static void
load_schedule(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];

    if (file == NULL)
        linkem_die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file) != NULL) {
        char *text = line + strspn(line, " \t"), *end;
        double at;

        line[strcspn(line, "\n")] = '\0';
        if (*text == '#' || *text == '\0')
            continue;
        if (strncmp(text, "at ", 3) == 0)
            text += 3 + strspn(text + 3, " \t");
        if (strncmp(text, "t=", 2) == 0)
            text += 2;
        at = strtod(text, &end);
        if (end == text)
            linkem_die("no time in the schedule: %s", line);
        if (strncmp(end, "ms", 2) == 0) {
            at /= 1e3;
            end += 2;
        } else if (*end == 's')
            end++;
        events = realloc(events, (n_events + 1) * sizeof(*events));
        if (events == NULL)
            linkem_die("no memory");
        events[n_events].at = at;
        snprintf(events[n_events++].command, COMMAND_MAX, "%s", end);
    }
    fclose(file);
    if (n_events > 0)
        qsort(events, n_events, sizeof(*events), compare_events);
}

/* Runs what is due. Returns: milliseconds until it wants to be called again. */
static int
run_schedule(void)
{
    int idle_ms = (int) (IDLE_NS / 1000000);

    while (next_event < n_events && !options.held) {
        double wait = events[next_event].at - (double) (linkem_now() - schedule_base) / 1e9;

        if (wait > 0)
            return wait * 1e3 < idle_ms ? (int) (wait * 1e3) + 1 : idle_ms;
        run_command(events[next_event++].command);
    }
    return idle_ms;
}

/* Takes complete lines off the front of @buf. Returns: the bytes that stay. */
static size_t
run_lines(char *buf, size_t len, size_t cap)
{
    char *start = buf, *newline;

    buf[len] = '\0';
    while ((newline = strchr(start, '\n')) != NULL) {
        *newline = '\0';
        if (*start != '\0')
            run_command(start);
        start = newline + 1;
    }
    len -= (size_t) (start - buf);
    memmove(buf, start, len);
    return len < cap - 1 ? len : 0;
}

static void *
control_thread(void *unused)
{
    char buf[4096];
    size_t len = 0;
    int fd = -1;

    (void) unused;
    if (options.fifo != NULL) {
        unlink(options.fifo);
        if (mkfifo(options.fifo, 0600) != 0 ||
            (fd = open(options.fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
            linkem_die("%s: %s", options.fifo, strerror(errno));
    }
    fprintf(stderr, "linkem: ready\n");
    while (!stopped) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        ssize_t n;

        if (poll(&pollfd, 1, run_schedule()) <= 0)
            continue;
        n = read(fd, buf + len, sizeof(buf) - 1 - len);
        if (n > 0)
            len = run_lines(buf, len + (size_t) n, sizeof(buf));
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void
carry(LinkemLink *const *carried, const int *fds, nfds_t n)
{
    struct pollfd pollfds[2];

    prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
    for (nfds_t i = 0; i < n; i++)
        pollfds[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    while (!stopped) {
        struct timespec timeout = {.tv_nsec = IDLE_NS};
        uint64_t next = UINT64_MAX, now;
        bool busy = false;

        for (nfds_t i = 0; i < n; i++) {
            bool more = false;
            uint64_t due = linkem_link_step(carried[i], &more);

            busy |= more;
            next = due < next ? due : next;
        }
        if (busy)
            continue;
        now = linkem_now();
        if (next < now + IDLE_NS)
            timeout.tv_nsec = next > now ? (long) (next - now) : 0;
        if (ppoll(pollfds, n, &timeout, NULL) < 0 && errno != EINTR)
            linkem_die("ppoll: %s", strerror(errno));
    }
}

static void *
second_direction(void *fd)
{
    carry(&links[1], fd, 1);
    return NULL;
}

static void
on_signal(int number)
{
    (void) number;
    stopped = 1;
}

static void
parse_options(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "a:b:s:c:f:S:Hm:q:n:t:B:o:d:p:vh")) != -1) {
        switch (c) {
        case 'a':
        case 'b':
            options.spec[c - 'a'] = optarg;
            break;
        case 's':
            options.seed = strtoull(optarg, NULL, 0);
            break;
        case 'c':
            if (options.n_initial == INITIAL_MAX)
                linkem_die("at most %d times -c", INITIAL_MAX);
            options.initial[options.n_initial++] = optarg;
            break;
        case 'f':
            options.fifo = optarg;
            break;
        case 'S':
            load_schedule(optarg);
            break;
        case 'H':
            options.held = true;
            break;
        case 'm':
            options.mtu = atoi(optarg);
            break;
        case 'q':
            options.queue = atoi(optarg);
            break;
        case 'n':
            options.held_max = strtoull(optarg, NULL, 0);
            break;
        case 't':
            options.threads = atoi(optarg);
            break;
        case 'B':
            options.burst = atoi(optarg);
            break;
        case 'o':
            options.counters = optarg;
            break;
        case 'd':
            options.seconds = atoi(optarg);
            break;
        case 'p':
            options.priority = atoi(optarg);
            break;
        case 'v':
            options.verbose = true;
            break;
        default:
            fputs(usage, c == 'h' ? stdout : stderr);
            exit(c == 'h' ? 0 : 2);
        }
    }
    if (options.spec[0] == NULL || options.spec[1] == NULL)
        linkem_die("-a and -b are needed (-h for help)");
}

static void
catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    alarm((unsigned) options.seconds);
}

/* The counters of the whole run, and what the kernel dropped before they were counted. */
static void
print_summary(const LinkemDevice *devices, int home)
{
    FILE *file = options.counters != NULL ? fopen(options.counters, "w") : stdout;

    if (file == NULL)
        linkem_die("%s: %s", options.counters, strerror(errno));
    print_counters(file);
    for (int i = 0; i < 2; i++) {
        uint64_t drops;

        if (linkem_device_get_drops(&devices[i], home, &drops))
            fprintf(file, "{\"linkem\":\"dev\",\"if\":\"%s\",\"txdrops\":%llu}\n", devices[i].name,
                    (unsigned long long) drops);
    }
    fflush(file);
}

int
main(int argc, char **argv)
{
    static const char *const names[] = {"a2b", "b2a"};
    LinkemDevice devices[2];
    int fds[2];
    pthread_t control, second;
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    parse_options(argc, argv);
    for (int i = 0; i < 2; i++) {
        linkem_device_open(&devices[i], options.spec[i], i, home, options.mtu, options.queue);
        fds[i] = devices[i].fd;
    }
    for (int i = 0; i < 2; i++) {
        LinkemLinkConfig config = {.name = names[i],
                                   .id = i,
                                   .in = fds[i],
                                   .out = fds[!i],
                                   .seed = options.seed,
                                   .frame_max = (size_t) options.mtu + 32,
                                   .held_max = options.held_max,
                                   .burst = (unsigned) options.burst};

        links[i] = linkem_link_new(&config);
        if (links[i] == NULL)
            linkem_die("no memory");
    }
    setpriority(PRIO_PROCESS, 0, options.priority);
    started = schedule_base = linkem_now();
    for (int i = 0; i < options.n_initial; i++) {
        if (!run_command(options.initial[i]))
            return 2;
    }
    catch_signals();
    pthread_create(&control, NULL, control_thread, NULL);
    if (options.threads >= 2) {
        pthread_create(&second, NULL, second_direction, &fds[1]);
        carry(&links[0], fds, 1);
        pthread_join(second, NULL);
    } else
        carry(links, fds, 2);
    pthread_join(control, NULL);
    print_summary(devices, home);
    if (options.fifo != NULL)
        unlink(options.fifo);
    for (int i = 0; i < 2; i++)
        linkem_link_free(links[i]);
    free(events);
    return 0;
}
