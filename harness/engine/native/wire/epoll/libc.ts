/**
 * The system calls of the epoll wire, through node:ffi. Nothing here keeps state, and every address it is given comes from the arena.
 * Lengths are 32 bit: none of ours is above 64 KiB, a number costs less than a BigInt, and both platforms clear the upper half of a register
 * that is loaded with 32 bits (the self-test at start reads and writes through them).
 */
import { getSystemErrorName } from 'node:util';

type Address = bigint;

export type Libc = {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly connect: (descriptor: number, address: Address, length: number) => number;
  readonly send: (descriptor: number, bytes: Address, length: number, flags: number) => number;
  readonly recvmsg: (descriptor: number, message: Address, flags: number) => number;
  readonly getsockopt: (descriptor: number, level: number, name: number, value: Address, length: Address) => number;
  readonly setsockopt: (descriptor: number, level: number, name: number, value: Address, length: number) => number;
  readonly close: (descriptor: number) => number;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, descriptor: number, event: Address) => number;
  readonly epoll_pwait2: (epoll: number, events: Address, max: number, timespec: Address, signals: null) => number;
  readonly clock_nanosleep: (clock: number, flags: number, timespec: Address, rest: null) => number;
  readonly clock_gettime: (clock: number, timespec: Address) => number;
  /** Of the last call that answered −1; to be asked before anything else is called. */
  readonly errno: () => number;
  readonly addressOf: (block: ArrayBuffer) => Address;
};

/** Arguments that no call reads: the calling conventions of both platforms let a function be given more than it asks for. */
const four = ['i32', 'i32', 'i32', 'i32'] as const;
const five = [...four, 'i32'] as const;
const six = [...five, 'i32'] as const;
const seven = [...six, 'i32'] as const;
const eight = [...seven, 'i32'] as const;

/**
 * Nine arguments each. node:ffi lets the optimising compiler read of a function with up to eight, on a thread of its own, what is freed when the function's thread ends
 * (Node 26.10; its `CFunctionInfo`): a thread that ended while its calls were being compiled took the whole process with it. From nine on there is nothing of that kind.
 */
const signatures = {
  socket: { arguments: ['i32', 'i32', 'i32', ...six], return: 'i32' },
  connect: { arguments: ['i32', 'pointer', 'u32', ...six], return: 'i32' },
  send: { arguments: ['i32', 'pointer', 'u32', 'i32', ...five], return: 'i32' },
  recvmsg: { arguments: ['i32', 'pointer', 'i32', ...six], return: 'i32' },
  getsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'pointer', ...four], return: 'i32' },
  setsockopt: { arguments: ['i32', 'i32', 'i32', 'pointer', 'u32', ...four], return: 'i32' },
  close: { arguments: ['i32', ...eight], return: 'i32' },
  epoll_create1: { arguments: ['i32', ...eight], return: 'i32' },
  epoll_ctl: { arguments: ['i32', 'i32', 'i32', 'pointer', ...five], return: 'i32' },
  epoll_pwait2: { arguments: ['i32', 'pointer', 'i32', 'pointer', 'pointer', ...four], return: 'i32' },
  clock_nanosleep: { arguments: ['i32', 'i32', 'pointer', 'pointer', ...five], return: 'i32' },
  clock_gettime: { arguments: ['i32', 'pointer', ...seven], return: 'i32' },
  /** Called once a thread, and never compiled. */
  __errno_location: { arguments: [], return: 'pointer' },
} as const;

/** Throws where the platform, the runtime or its C library has not what is needed. */
export async function loadLibc(): Promise<Libc> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64'))
    throw new Error(`it is for Linux on x64 and arm64, not ${process.platform} on ${process.arch}`);
  const { dlopen, getInt32, getRawPointer } = await import('node:ffi');
  const { functions: c } = dlopen(null, signatures);
  const errnoAt = c.__errno_location();
  return {
    socket: (family, type, protocol) => c.socket(family, type, protocol, 0, 0, 0, 0, 0, 0),
    connect: (descriptor, address, length) => c.connect(descriptor, address, length, 0, 0, 0, 0, 0, 0),
    send: (descriptor, bytes, length, flags) => c.send(descriptor, bytes, length, flags, 0, 0, 0, 0, 0),
    recvmsg: (descriptor, message, flags) => c.recvmsg(descriptor, message, flags, 0, 0, 0, 0, 0, 0),
    getsockopt: (descriptor, level, name, value, length) => c.getsockopt(descriptor, level, name, value, length, 0, 0, 0, 0),
    setsockopt: (descriptor, level, name, value, length) => c.setsockopt(descriptor, level, name, value, length, 0, 0, 0, 0),
    close: (descriptor) => c.close(descriptor, 0, 0, 0, 0, 0, 0, 0, 0),
    epoll_create1: (flags) => c.epoll_create1(flags, 0, 0, 0, 0, 0, 0, 0, 0),
    epoll_ctl: (epoll, operation, descriptor, event) => c.epoll_ctl(epoll, operation, descriptor, event, 0, 0, 0, 0, 0),
    epoll_pwait2: (epoll, events, max, timespec, signals) => c.epoll_pwait2(epoll, events, max, timespec, signals, 0, 0, 0, 0),
    clock_nanosleep: (clock, flags, timespec, rest) => c.clock_nanosleep(clock, flags, timespec, rest, 0, 0, 0, 0, 0),
    clock_gettime: (clock, timespec) => c.clock_gettime(clock, timespec, 0, 0, 0, 0, 0, 0, 0),
    errno: () => getInt32(errnoAt),
    addressOf: getRawPointer,
  };
}

/** As node names it: `ECONNRESET`. */
export const codeOf = (errno: number): string => getSystemErrorName(-errno);

/** The same on x64 and arm64: asm-generic's. */
export const linux = {
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_ERROR: 4,
  /** Both the option and the kind of control message that it brings. */
  SO_TIMESTAMPNS: 35,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  MSG_NOSIGNAL: 0x4000,
  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLL_CTL_DEL: 2,
  EPOLL_CTL_MOD: 3,
  EPOLLIN: 1,
  EPOLLOUT: 4,
  CLOCK_REALTIME: 0,
  CLOCK_MONOTONIC: 1,
  EINTR: 4,
  EAGAIN: 11,
  ENOBUFS: 105,
  EINPROGRESS: 115,
} as const;
