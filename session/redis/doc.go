// Package redis keeps sessions in a Redis that several replicas of claimproxy share:
// one server, one behind Sentinel, or a Cluster. A session that begins at one of them
// is known at all, is renewed once, and ends everywhere at once.
//
// What Redis gets is sealed. Keys are hashes of random ids, tags are hashes with a
// secret, and the rest opens with the key in a browser's cookie or with the replicas'
// common secret, neither of which is in Redis.
//
// Each script touches one key, so that a Cluster needs no hash tags. Nothing is
// promised beyond what Redis itself keeps: a server without persistence forgets the
// sessions when it restarts, and a replica that takes over may not have the last
// changes yet. It is made for Redis 5 and later.
package redis
