//! What a vector says that a reader must see, and what a reader saw: the words of both are the same.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::{DecodeError, Message};
use serde::{Deserialize, Serialize};
use tonic_types::{ErrorDetail, pb};

#[derive(Default, Deserialize, Serialize)]
pub struct Said {
    #[serde(default)]
    pub id: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    #[serde(default)]
    pub messages: i32,
    pub status: i32,
    pub message: String,
    pub reason: Option<String>,
    pub domain: Option<String>,
    pub metadata: Option<HashMap<String, String>>,
    pub locale: Option<String>,
    pub hint: Option<String>,
    pub details: Vec<Detail>,
    pub trailing: HashMap<String, String>,
}

/// Any other detail, with its message's bytes.
#[derive(Deserialize, Serialize)]
pub struct Detail {
    #[serde(rename = "type")]
    kind: String,
    base64: String,
}

macro_rules! others {
    ($($kind:ident),*) => {
        impl Detail {
            /// What tonic-types has of a detail; None for those with fields of their own.
            pub fn of(detail: ErrorDetail) -> Option<Detail> {
                match detail {
                    $(ErrorDetail::$kind(detail) => Some(Detail {
                        kind: concat!("google.rpc.", stringify!($kind)).into(),
                        base64: STANDARD.encode(pb::$kind::from(detail).encode_to_vec()),
                    }),)*
                    _ => None,
                }
            }

            /// The detail as tonic-types has it; None for a type that it does not know.
            pub fn typed(&self) -> Result<Option<ErrorDetail>, DecodeError> {
                let bytes = STANDARD.decode(&self.base64).unwrap_or_default();
                Ok(match self.kind.as_str() {
                    $(concat!("google.rpc.", stringify!($kind)) =>
                        Some(tonic_types::$kind::from(pb::$kind::decode(bytes.as_slice())?).into()),)*
                    _ => None,
                })
            }
        }
    };
}

others!(
    RetryInfo,
    DebugInfo,
    QuotaFailure,
    PreconditionFailure,
    BadRequest,
    RequestInfo,
    ResourceInfo,
    Help
);
