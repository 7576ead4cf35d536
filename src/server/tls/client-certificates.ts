import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { CertificateOf, ClientCertificate, RefusedCertificate } from "../../call/client-certificate.ts";
import { connectionKey } from "../connections.ts";
import { peerCertificate, peerChain, type Revocable } from "./peer-certificate.ts";
import type { RevocationLists, TlsMaterial } from "./tls-material.ts";

/** The certificates of the clients of open connections. Each is read once per connection. */
export interface ClientCertificates {
  /** Call it when a TCP connection is accepted, because its TLS handshake uses the authorities of this moment. */
  accept(socket: Socket): void;
  /** From now on `handle` stands for this TLS socket's connection: the socket itself, or the HTTP/2 session. */
  identify(socket: Socket, handle: object): void;
  readonly certificateOf: CertificateOf;
  /**
   * Call it when the authorities or the revocation lists have changed. If an authority was removed, the certificates that clients have sent
   * are no longer valid; if lists have changed, some may be revoked. Returns true if connections must end (`isOver`).
   */
  replace(authorities: ClientAuthorities): boolean;
  /** Returns whether the client should reconnect: its certificate is no longer valid, or will expire soon. */
  isOver(handle: object): boolean;
}

export type ClientAuthorities = Pick<TlsMaterial, "clientCa" | "clientCrl">;

interface Shown {
  readonly certificate: ClientCertificate | RefusedCertificate;
  readonly generation: number;
  readonly chain: readonly Revocable[] | null;
  /** The last lists that were searched without finding it. */
  checked: RevocationLists | undefined;
}

/** Clients whose certificate expires get this time to reconnect with a newer one before calls are refused. */
const closeAheadMs = 5000;
const stale: RefusedCertificate = { refusal: "AUTHORITIES_CHANGED" };
/** OpenSSL's code. */
const revoked: RefusedCertificate = { refusal: "CERT_REVOKED" };

function isRevoked(chain: readonly Revocable[] | null, lists: RevocationLists): boolean {
  return chain === null || chain.some(({ issuer, serial }) => lists.revoked.get(issuer)?.has(serial));
}

export function createClientCertificates({ clientCa, clientCrl }: ClientAuthorities, clock: () => number): ClientCertificates {
  let trusted = new Set(clientCa);
  let lists = clientCrl;
  /** Incremented whenever an authority is removed. */
  let generation = 0;
  const accepted = new Map<string, { readonly generation: number }>();
  const shown = new WeakMap<object, Shown>();

  /** Returns why a certificate is no longer valid, or null. */
  const refusalOf = (known: Shown): RefusedCertificate | null => {
    if (known.generation !== generation) return stale;
    if (known.checked !== lists) {
      if (lists !== undefined && isRevoked(known.chain, lists)) return revoked;
      known.checked = lists;
    }
    return null;
  };

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
      if (certificate === undefined) return;
      const accepting = accepted.get(connectionKey(socket))?.generation ?? -1;
      shown.set(handle, { certificate, generation: accepting, chain: peerChain(socket as TLSSocket), checked: undefined });
    },
    certificateOf(handle) {
      const known = shown.get(handle);
      return known === undefined ? undefined : (refusalOf(known) ?? known.certificate);
    },
    replace({ clientCa: newer, clientCrl: newerLists }) {
      const next = new Set(newer);
      const isRemoved = [...trusted].some((authority) => !next.has(authority));
      trusted = next;
      if (isRemoved) generation += 1;
      lists = newerLists;
      return isRemoved || newerLists !== undefined;
    },
    isOver(handle) {
      const known = shown.get(handle);
      if (known === undefined) return false;
      if (refusalOf(known) !== null) return true;
      return "expireTimeMs" in known.certificate && known.certificate.expireTimeMs - closeAheadMs <= clock();
    },
  };
}
