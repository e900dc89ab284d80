/*
 * Exact miss counts of libCacheSim: cachesim prints four digits of the ratio only.
 *
 *     misses TRACE CAPACITY… < names of policies        prints a line "policy capacity misses" for each pair
 *
 * TRACE is oracleGeneral, every object of size 1. Built against libCacheSim's tree and build folder by bench/policies.ts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include "libCacheSim.h"

static const struct {
  const char *name;
  cache_t *(*init)(const common_cache_params_t, const char *);
} policies[] = {
    {"LRU", LRU_init},   {"FIFO", FIFO_init},   {"MRU", MRU_init},   {"CLOCK", Clock_init},    {"LFU", LFU_init},
    {"2Q", TwoQ_init},   {"ARC", ARC_init},     {"LIRS", LIRS_init}, {"S3-FIFO", S3FIFO_init}, {"SIEVE", Sieve_init},
    {"random", Random_init}, {"OPT", Belady_init},
};

static int64_t misses(const char *trace, cache_t *cache) {
  reader_init_param_t how = default_reader_init_params();
  how.ignore_obj_size = true;
  reader_t *reader = open_trace(trace, ORACLE_GENERAL_TRACE, &how);
  request_t *request = new_request();
  int64_t missed = 0;
  while (read_one_req(reader, request) == 0 && request->valid) missed += !cache->get(cache, request);
  free_request(request);
  close_reader(reader);
  return missed;
}

int main(int argc, char **argv) {
  char name[64];
  while (scanf("%63s", name) == 1) {
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
      if (strcasecmp(policies[i].name, name) != 0) continue;
      for (int at = 2; at < argc; at++) {
        const common_cache_params_t how = {.cache_size = strtoull(argv[at], NULL, 10), .hashpower = 20, .default_ttl = 0};
        printf("%s %s %" PRId64 "\n", policies[i].name, argv[at], misses(argv[1], policies[i].init(how, NULL)));
        fflush(stdout);
      }
    }
  }
  return 0;
}
