// Package session answers one question: who is calling?
//
// It owns the words for the answer (Identity, Claims and the three outcomes no
// credentials, bad credentials, cannot know now), the merge of what a provider
// said in several places, and the browser's session: the cookie, the sealed
// record behind it and the store that keeps it.
//
// The ways to prove an identity stand in the rooms below: provider talks to an
// OpenID Provider, login walks a browser through the authorization code flow,
// bearer checks the tokens of native clients. What an identity may do is
// package policy's question; neither package imports anything else of ours.
package session
