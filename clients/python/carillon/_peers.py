"""Which node to talk to: addresses that were given, nodes that other nodes have told of, and the one where the next
connection leads (docs/spec/protocol.md, section 8). The rules are those of the C library (src/client/peers.c)."""

from __future__ import annotations

import ipaddress
import random
import time
from typing import Any, List, Optional

from . import _address
from ._transport import Transport, is_loopback
from .errors import CarillonError, make_error, number_of

GIVEN_MAX = 16
TOLD_MAX = 16
SETTLE_ANSWERS = 64  # from one node, before the client moves to the one that leads
MOVE_PAUSE = 2.0  # between two such moves, at least half of it


class Peer:
    """One node, as far as it is known."""

    def __init__(self, transport: Transport, is_given: bool) -> None:
        self.transport = transport
        self.is_given = is_given
        self.node_id = b""
        self.leads = 0  # shards, as was told: a hint
        self.has_failed = False  # since anybody was greeted, or since all have failed
        self.is_hopeless = False  # and why says something about the node, not about the moment


class Peers:
    """Those that were given come first."""

    def __init__(self, addresses: str, credential: Optional[str], stays: bool = False) -> None:
        """`stays`: nodes that others tell of are not asked."""
        self._credential = credential
        self._stays = stays
        self._given: List[Peer] = []
        self._told: List[Peer] = []
        self._move_after = 0.0
        self.is_patient = False  # all have failed since anybody greeted: connecting may take its time
        self.cluster = b""  # of the first node that greeted us: no other is taken any more
        for address in addresses.split(","):
            transport = Transport(address, credential)
            if self._find(transport.host, transport.port) is None:
                self._given.append(Peer(transport, True))
        if len(self._given) > GIVEN_MAX:
            raise make_error(number_of("ERR_ARGUMENT"), f"at most {GIVEN_MAX} addresses")
        places = [(peer.transport.host, peer.transport.port) for peer in self._given]
        for peer in self._given:
            peer.transport.others = places
        self.target = self._given[0]

    @property
    def all(self) -> List[Peer]:
        return self._given + self._told

    def _find(self, host: str, port: int) -> Optional[Peer]:
        return next((peer for peer in self.all if (peer.transport.host, peer.transport.port) == (host, port)), None)

    # ---- choosing ----

    def _leader(self) -> Optional[Peer]:
        best = max((peer for peer in self.all if not peer.has_failed), key=lambda peer: peer.leads, default=None)
        return best if best is not None and best.leads > 0 else None

    def _next(self, connected: Optional[Peer]) -> Optional[Peer]:
        leader = self._leader()
        if leader is not None:
            return leader
        if connected is not None and not connected.has_failed:
            return connected
        peers = self.all
        at = peers.index(self.target) if self.target in peers else 0
        return next((peer for peer in peers[at + 1:] + peers[:at + 1] if not peer.has_failed), None)

    def failed(self, peer: Peer, is_hopeless: bool, connected: Optional[Peer]) -> bool:
        """`peer` did not do; another becomes the target. False when all have failed now, and a new round begins."""
        peer.has_failed = True
        peer.is_hopeless = is_hopeless
        following = self._next(connected)
        is_over = following is None
        if following is None:
            self.is_patient = True
            self._begin_round()
            peers = self.all
            at = peers.index(self.target) if self.target in peers else 0
            following = (peers[at + 1:] + peers[:at + 1])[0]
        if self.target is peer or is_over:
            self.target = following
        return not is_over

    def _begin_round(self) -> None:
        for peer in self.all:
            peer.has_failed = False

    @property
    def are_hopeless(self) -> bool:
        return all(peer.is_hopeless for peer in self.all)

    # ---- what a node says ----

    def check_cluster(self, cluster: bytes) -> None:
        """A client that has been greeted belongs to that cluster: a request it repeats must not become another
        cluster's. Raises NotPermitted."""
        if self.cluster and cluster != self.cluster:
            raise make_error(number_of("ERR_UNAUTHENTICATED"),
                             "another cluster is there than the one that this client speaks with")

    def greeted(self, peer: Peer, welcome: Any) -> None:
        self._begin_round()
        self.is_patient = False
        peer.is_hopeless = False
        self.cluster = self.cluster or welcome.cluster_id
        if welcome.node_id:
            peer.node_id = welcome.node_id
            # The same node under two addresses is one.
            self._told = [other for other in self._told if other is peer or other.node_id != peer.node_id]
        self.learn(peer, welcome.cluster)

    @staticmethod
    def _is_of_use(host: str, teller: Peer) -> bool:
        """A node that listens everywhere, or on its own machine only, has told nothing of use."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return not address.is_unspecified and (not address.is_loopback or is_loopback(teller.transport.host))

    def _take(self, teller: Peer, node: Any) -> Optional[Peer]:
        for peer in self._given:
            if peer.node_id and peer.node_id == node.node_id:
                return peer
        try:
            host, port = _address.parse(node.address)
        except CarillonError:
            return None
        peer = self._find(host, port)
        if peer is None and self._is_of_use(host, teller):
            transport = Transport(node.address, self._credential, is_given=False)
            transport.others = self._given[0].transport.others
            peer = Peer(transport, False)
        return peer

    def learn(self, teller: Peer, cluster: Any) -> None:
        """`teller` says who the cluster's nodes are."""
        if not cluster.nodes or self._stays:
            return
        for peer in self.all:
            peer.leads = 0
        told: List[Peer] = []
        for node in cluster.nodes:
            peer = self._take(teller, node)
            if peer is None:
                continue
            peer.node_id = node.node_id
            peer.leads = sum(group != 0 for group in node.leads)  # who leads group 0 answers nothing of clients
            if not peer.is_given and len(told) < TOLD_MAX:
                told.append(peer)
        self._told = told
        if self.target not in self.all:
            self.target = teller if teller in self.all else self._given[0]

    def wants_to_move(self, peer: Peer, answers: int) -> bool:
        """Whether, after so many answers from `peer`, another had better be asked; then it is the target."""
        if answers % SETTLE_ANSWERS != 0 or peer is not self.target or peer.leads > 0:
            return False
        leader = self._leader()
        if leader is None or time.monotonic() < self._move_after:
            return False
        self._move_after = time.monotonic() + random.uniform(MOVE_PAUSE / 2, MOVE_PAUSE)
        self.target = leader
        return True
