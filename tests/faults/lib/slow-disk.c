/*
 * A disk that is slow to flush, for a program that is started with this library before all others. How slow, in
 * milliseconds, stands in the file that SLOW_DISK_DELAY names, so that it can change while the program runs; what is
 * flushed is written to the file that SLOW_DISK_LOG names: "begin N PATH" and "end N", one line each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_int flushes;

static long delay_ms(void) {
  const char *path = getenv("SLOW_DISK_DELAY");
  char text[32] = "";
  int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  return length <= 0 ? 0 : atol(text);
}

static void note(const char *line) {
  const char *path = getenv("SLOW_DISK_LOG");
  int file = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (write(file, line, strlen(line)) < 0) abort();
  close(file);
}

static int flush(const char *name, int file) {
  int (*flush_for_real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int number = atomic_fetch_add(&flushes, 1) + 1;
  char link[64], path[PATH_MAX] = "", line[PATH_MAX + 64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length >= 0) path[length] = 0;
  snprintf(line, sizeof line, "begin %d %s\n", number, path);
  note(line);
  long ms = delay_ms();
  struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&pause, &pause) != 0) continue;
  int result = flush_for_real(file);
  snprintf(line, sizeof line, "end %d\n", number);
  note(line);
  return result;
}

int fdatasync(int file) { return flush("fdatasync", file); }
int fsync(int file) { return flush("fsync", file); }
