//! Requests that were refused lately, by id: what an administrator can have explained.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use http::header;
use uuid::Uuid;

use crate::request::HttpRequest;
use crate::verify::Identity;

/// Requests remembered; the oldest makes room.
const MOST: usize = 256;
/// A larger request is not remembered, and cannot be explained by id.
const LARGEST: usize = 64 * 1024;
/// How long one is remembered: it holds what a user sent.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// A refused request and who made it.
#[derive(Clone)]
pub(crate) struct Refused {
    id: Uuid,
    at: DateTime<Utc>,
    /// Without its token.
    pub(crate) request: HttpRequest,
    /// Who made it.
    pub(crate) identity: Identity,
}

/// The last of them.
#[derive(Default)]
pub(crate) struct Ring(Mutex<VecDeque<Refused>>);

impl Ring {
    /// Remembers a request; its id is for the answer.
    pub(crate) fn put(&self, request: &HttpRequest, identity: Identity, at: DateTime<Utc>) -> Uuid {
        let id = gatepost_protocol::random::uuid();
        if size(request) <= LARGEST {
            let mut request = request.clone();
            request.headers.remove(header::AUTHORIZATION);
            request.headers.remove(header::COOKIE);
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|refused| refused.at + KEPT > at);
            if all.len() >= MOST {
                all.pop_front();
            }
            all.push_back(Refused { id, at, request, identity });
        }
        id
    }

    /// The request of this id, if it is remembered.
    pub(crate) fn get(&self, id: Uuid, now: DateTime<Utc>) -> Option<Refused> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|refused| refused.at + KEPT > now);
        all.iter().find(|refused| refused.id == id).cloned()
    }
}

/// Bytes that remembering it takes, about: none of its parts may be large.
fn size(request: &HttpRequest) -> usize {
    let headers: usize =
        request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    request.path.len() + request.query.len() + headers + request.body.len()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method};
    use serde_json::Map;

    use super::*;

    fn request(query: &str) -> HttpRequest {
        let secret = HeaderValue::from_static("secret");
        HttpRequest {
            method: Method::GET,
            path: "/todos".to_owned(),
            query: query.to_owned(),
            headers: HeaderMap::from_iter([
                (header::AUTHORIZATION, secret.clone()),
                (header::COOKIE, secret),
            ]),
            body: bytes::Bytes::new(),
        }
    }

    fn put(ring: &Ring, query: &str, at: DateTime<Utc>) -> Uuid {
        ring.put(&request(query), Identity { role: String::new(), claims: Map::new() }, at)
    }

    #[test]
    fn a_request_is_remembered_without_its_token_for_a_quarter_of_an_hour() {
        let (ring, now) = (Ring::default(), DateTime::UNIX_EPOCH);
        let id = put(&ring, "id=eq.1", now);
        let found = ring.get(id, now + TimeDelta::minutes(14)).unwrap();
        assert_eq!((found.request.query.as_str(), found.request.headers.len()), ("id=eq.1", 0));
        assert!(ring.get(id, now + TimeDelta::minutes(15)).is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_in_number_size_and_time() {
        let (ring, now) = (Ring::default(), DateTime::UNIX_EPOCH);
        let large = put(&ring, &"x".repeat(LARGEST), now);
        assert!(ring.get(large, now).is_none());
        let first = put(&ring, "", now);
        for _ in 0..MOST {
            put(&ring, "", now);
        }
        assert!(ring.get(first, now).is_none(), "the oldest makes room");
        put(&ring, "", now + TimeDelta::hours(1));
        assert_eq!(ring.0.lock().unwrap().len(), 1, "nothing outlives its time");
    }
}
