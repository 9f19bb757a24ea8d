/*
 * A network that carries little: narrow PORT RATE listens on a free port, says which, and passes on what the server on PORT
 * sends, RATE bytes a second, through a receive buffer so small that the server feels it at once. What clients send is passed
 * on as it comes. Stop the process, and nothing is passed on.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define TICKS_PER_SECOND 100
#define RECEIVE_BYTES 4096
#define PIECE_BYTES_MAX 65536

static int tcp(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, small = RECEIVE_BYTES;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  return fd;
}

static int write_all(int fd, const char *bytes, ssize_t length) {
  for (ssize_t at = 0; at < length;) {
    ssize_t written = write(fd, bytes + at, length - at);
    if (written <= 0) return 0;
    at += written;
  }
  return 1;
}

static void carry(int client, int server, long rate) {
  static char bytes[PIECE_BYTES_MAX];
  long piece = rate / TICKS_PER_SECOND;
  if (piece < 1) piece = 1;
  if (piece > PIECE_BYTES_MAX) piece = PIECE_BYTES_MAX;
  struct timespec tick = {0, 1000000000L / TICKS_PER_SECOND};
  for (;;) {
    long left = piece;
    struct pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    while (poll(both, 2, 0) > 0 && (both[0].revents || (both[1].revents && left > 0))) {
      if (both[0].revents) {
        ssize_t length = read(client, bytes, sizeof bytes);
        if (length <= 0 || !write_all(server, bytes, length)) return;
      }
      if (both[1].revents && left > 0) {
        ssize_t length = read(server, bytes, left);
        if (length <= 0 || !write_all(client, bytes, length)) return;
        left -= length;
      }
    }
    nanosleep(&tick, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  struct sockaddr_in here = {.sin_family = AF_INET}, there = here;
  socklen_t length = sizeof here;
  here.sin_addr.s_addr = there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  there.sin_port = htons(atoi(argv[1]));
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 1)) return 1;
  getsockname(listener, (struct sockaddr *)&here, &length);
  printf("%d\n", ntohs(here.sin_port));
  fflush(stdout);
  int client = accept(listener, NULL, NULL), server = tcp();
  if (client < 0 || connect(server, (struct sockaddr *)&there, sizeof there)) return 1;
  carry(client, server, atol(argv[2]));
  return 0;
}
