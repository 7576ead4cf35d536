import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { CertificateOf, ClientCertificate, RefusedCertificate } from "../call/client-certificate.ts";
import { connectionKey } from "./connections.ts";
import { peerCertificate } from "./peer-certificate.ts";

/** The certificates of the clients of open connections. Each is read once per connection. */
export interface ClientCertificates {
  /** Call it when a TCP connection is accepted, because its TLS handshake uses the authorities of this moment. */
  accept(socket: Socket): void;
  /** From now on `handle` stands for this TLS socket's connection: the socket itself, or the HTTP/2 session. */
  identify(socket: Socket, handle: object): void;
  readonly certificateOf: CertificateOf;
  /**
   * Call it when the authorities have changed. Returns true if one was removed: then the certificates that clients have sent are no longer
   * valid, and their connections must end.
   */
  replaceAuthorities(authorities: readonly string[]): boolean;
  /** Returns whether the client should reconnect: its certificate is no longer valid, or will expire soon. */
  isOver(handle: object): boolean;
}

interface Shown {
  readonly certificate: ClientCertificate | RefusedCertificate;
  readonly generation: number;
}

/** Clients whose certificate expires get this time to reconnect with a newer one before calls are refused. */
const closeAheadMs = 5000;
const stale: RefusedCertificate = { refusal: "AUTHORITIES_CHANGED" };

/** `authorities` are PEM texts with one certificate each. */
export function createClientCertificates(authorities: readonly string[], clock: () => number): ClientCertificates {
  let trusted = new Set(authorities);
  /** Incremented whenever an authority is removed. */
  let generation = 0;
  const accepted = new Map<string, { readonly generation: number }>();
  const shown = new WeakMap<object, Shown>();

  return {
    accept(socket) {
      const [key, entry] = [connectionKey(socket), { generation }];
      accepted.set(key, entry);
      socket.once("close", () => {
        if (accepted.get(key) === entry) accepted.delete(key);
      });
    },
    identify(socket, handle) {
      const certificate = socket instanceof TLSSocket ? peerCertificate(socket) : undefined;
      if (certificate !== undefined) shown.set(handle, { certificate, generation: accepted.get(connectionKey(socket))?.generation ?? -1 });
    },
    certificateOf(handle) {
      const known = shown.get(handle);
      return known === undefined || known.generation === generation ? known?.certificate : stale;
    },
    replaceAuthorities(newer) {
      const next = new Set(newer);
      const isRemoved = [...trusted].some((authority) => !next.has(authority));
      trusted = next;
      if (isRemoved) generation += 1;
      return isRemoved;
    },
    isOver(handle) {
      const known = shown.get(handle);
      if (known === undefined) return false;
      if (known.generation !== generation) return true;
      return "expireTimeMs" in known.certificate && known.certificate.expireTimeMs - closeAheadMs <= clock();
    },
  };
}
