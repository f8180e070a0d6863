//! Makes the calls of the input and prints what tonic-types told of their errors.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tonic::metadata::{Ascii, KeyAndValueRef, MetadataKey};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_types::{ErrorDetail, StatusExt};

use crate::Failure;
use crate::details::{Detail, Said};
use crate::pb::conformance_service_client::ConformanceServiceClient;
use crate::pb::{AnswerRequest, AnswerResponse};

const DEADLINE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
struct Call {
    id: i64,
    vector: i32,
    method: String,
    messages: i32,
    metadata: HashMap<String, String>,
}

/// What a client author writes.
fn read(error: &Status) -> Said {
    let mut said = Said {
        status: error.code().into(),
        message: error.message().into(),
        ..Said::default()
    };
    for detail in error.get_error_details_vec() {
        match detail {
            ErrorDetail::ErrorInfo(info) if said.reason.is_none() => {
                said.reason = Some(info.reason);
                said.domain = Some(info.domain);
                said.metadata = Some(info.metadata);
            }
            ErrorDetail::LocalizedMessage(hint) => {
                said.locale = Some(hint.locale);
                said.hint = Some(hint.message);
            }
            other => said.details.extend(Detail::of(other)), // ErrorDetail::BadRequest has the violations
        }
    }
    said
}

pub async fn run(target: &str) -> Result<(), Failure> {
    let mut client = ConformanceServiceClient::connect(format!("http://{target}")).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let call: Call = serde_json::from_str(&line)?;
        let id = call.id;
        let said = match made(&mut client, call).await {
            Ok(said) => Said { id, ..said },
            Err(failure) => Said {
                id,
                failed: Some(failure.to_string()),
                ..Said::default()
            },
        };
        println!("{}", serde_json::to_string(&said)?);
    }
    Ok(())
}

async fn made(client: &mut ConformanceServiceClient<Channel>, call: Call) -> Result<Said, Failure> {
    let mut messages = 0;
    let Err(error) = responses(client, call, &mut messages).await? else {
        return Err("the call ended without an error".into());
    };
    let mut said = Said {
        messages,
        ..read(&error)
    };
    for entry in error.metadata().iter() {
        if let KeyAndValueRef::Ascii(key, value) = entry
            && key.as_str().starts_with("x-")
        {
            said.trailing
                .insert(key.to_string(), value.to_str()?.into());
        }
    }
    Ok(said)
}

/// Makes a call and counts what comes before its error.
async fn responses(
    client: &mut ConformanceServiceClient<Channel>,
    call: Call,
    messages: &mut i32,
) -> Result<Result<(), Status>, Failure> {
    let message = AnswerRequest {
        vector: call.vector,
        messages: call.messages,
    };
    Ok(match call.method.as_str() {
        "Unary" => client
            .unary(request(message, &call.metadata)?)
            .await
            .map(drop),
        "ServerStream" => match client
            .server_stream(request(message, &call.metadata)?)
            .await
        {
            Ok(stream) => count(stream.into_inner(), messages).await,
            Err(error) => Err(error),
        },
        "ClientStream" => client
            .client_stream(request(tokio_stream::once(message), &call.metadata)?)
            .await
            .map(drop),
        _ => match client
            .bidi_stream(request(tokio_stream::once(message), &call.metadata)?)
            .await
        {
            Ok(stream) => count(stream.into_inner(), messages).await,
            Err(error) => Err(error),
        },
    })
}

fn request<T>(message: T, metadata: &HashMap<String, String>) -> Result<Request<T>, Failure> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    for (key, value) in metadata {
        request
            .metadata_mut()
            .insert(key.parse::<MetadataKey<Ascii>>()?, value.parse()?);
    }
    Ok(request)
}

async fn count(mut stream: Streaming<AnswerResponse>, messages: &mut i32) -> Result<(), Status> {
    while stream.message().await?.is_some() {
        *messages += 1;
    }
    Ok(())
}
