// Deterministic memory workloads; static, no libm. gcc -O1 -static -o workloads workloads.c; usage: workloads seq|phase|forkcow|filescan|mmapfile [FILE of 24 MiB]
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdint.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#define PS 4096UL
static uint64_t s=0x1234567887654321ULL;
static __attribute__((noinline)) uint32_t rnd(void){ s^=s<<13; s^=s>>7; s^=s<<17; return (uint32_t)(s>>16); }
static char *anon(size_t n){ char*p=mmap(0,n*PS,PROT_READ|PROT_WRITE,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); if(p==MAP_FAILED) _exit(2); return p; }
static volatile uint64_t sink;
static inline void rd(char*p,size_t i){ sink+=*(volatile uint64_t*)(p+i*PS+(i*64&4032)); }
static inline void wr(char*p,size_t i){ *(volatile uint64_t*)(p+i*PS+(i*64&4032))+=i^0x9e3779b97f4a7c15ULL; }
static uint32_t *cum; static uint32_t zn;
static void zinit(uint32_t n){ zn=n; cum=malloc(4UL*n); double c=0,t=0; for(uint32_t i=0;i<n;i++) t+=1.0/(i+8); for(uint32_t i=0;i<n;i++){ c+=1.0/(i+8); cum[i]=(uint32_t)(c/t*4294967295.0);} }
static __attribute__((noinline)) uint32_t zipf(void){ uint32_t u=rnd(),lo=0,hi=zn-1; while(lo<hi){uint32_t m=(lo+hi)/2; if(cum[m]<u) lo=m+1; else hi=m;} return lo; }
static inline uint32_t scat(uint32_t r,uint32_t n){ return (uint32_t)(((uint64_t)r*2654435761ULL)%n); }
static void fillp(char*p,size_t i){ uint64_t*q=(void*)(p+i*PS); uint64_t x=i*0x9e3779b97f4a7c15ULL+1; for(int k=0;k<512;k+=8){x^=x<<13;x^=x>>7;x^=x<<17;q[k]=x;} }
static const char *big="/data/big";
static int seq(void){ size_t n=4096; char*p=anon(n); for(size_t i=0;i<n;i++) fillp(p,i);
  for(int pass=0;pass<6;pass++) for(size_t i=0;i<n;i++) { if(pass%3==2) wr(p,i); else rd(p,i); } return 0; }
static int phase(void){ size_t n=6144,w=2048; char*p=anon(n); for(size_t i=0;i<n;i++) fillp(p,i); zinit(w);
  static const int base[7]={0,2048,4096,1024,3072,0,2048};
  for(int f=0;f<7;f++) for(int a=0;a<15000;a++){ size_t i=base[f]+scat(zipf(),w); if(rnd()%5==0) wr(p,i); else rd(p,i); if(a%50==0) rd(p,rnd()%n); } return 0; }
static int forkcow(void){ size_t n=3072; char*p=anon(n); for(size_t i=0;i<n;i++) fillp(p,i);
  for(int round=0;round<2;round++){ pid_t k[4];
    for(int c=0;c<4;c++){ k[c]=fork(); if(k[c]<0) _exit(3); if(!k[c]){ s+=round*4+c+1; size_t b=c*512+round*256;
        for(size_t i=0;i<512;i++) wr(p,(b+i)%n);                       // its own part
        for(int a=0;a<4000;a++){ size_t i=rnd()%n; if((rnd()&15)==0) wr(p,i); else rd(p,i); }
        for(size_t i=0;i<512;i++) rd(p,(b+i)%n);
        _exit(0); } }
    for(int a=0;a<3000;a++) rd(p,rnd()%n);                             // the parent meanwhile
    for(int c=0;c<4;c++){ int st; waitpid(k[c],&st,0); if(st) _exit(4); } 
    for(size_t i=0;i<n;i+=3) wr(p,i); } return 0; }
static int filescan(void){ size_t n=2048; int f=open(big,O_RDONLY); if(f<0) _exit(5); char*p=anon(n),*b=anon(16); for(size_t i=0;i<n;i++) fillp(p,i); zinit(n);
  for(int pass=0;pass<4;pass++){ lseek(f,0,SEEK_SET); for(;;){ ssize_t r=read(f,b,16*PS); if(r<0) _exit(6); if(!r) break; sink+=b[r-1]; for(int a=0;a<40;a++){ size_t i=scat(zipf(),n); (rnd()&3)?rd(p,i):wr(p,i);} } } close(f); return 0; }
static int mmapfile(void){ size_t n=6144,m=1024; int f=open(big,O_RDONLY); if(f<0) _exit(5); char*q=mmap(0,n*PS,PROT_READ,MAP_SHARED,f,0); if(q==MAP_FAILED) _exit(7); close(f); char*p=anon(m); for(size_t i=0;i<m;i++) fillp(p,i); zinit(n);
  for(int a=0;a<60000;a++){ rd(q,scat(zipf(),n)); if(a%4==0){ size_t i=rnd()%m; if(a%16==0) wr(p,i); else rd(p,i);} } return 0; }
int main(int c,char**v){ const char*w=c>1?v[1]:""; if(c>2) big=v[2];
  if(!strcmp(w,"seq")) return seq(); if(!strcmp(w,"phase")) return phase(); if(!strcmp(w,"forkcow")) return forkcow();
  if(!strcmp(w,"filescan")) return filescan(); if(!strcmp(w,"mmapfile")) return mmapfile(); return 1; }
