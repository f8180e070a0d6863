//! Answers each vector as tonic-types does it.

use std::collections::HashMap;
use std::pin::Pin;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, stdin};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap};
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorInfo, LocalizedMessage, StatusExt};

use crate::Failure;
use crate::details::Said;
use crate::pb::conformance_service_server::{ConformanceService, ConformanceServiceServer};
use crate::pb::{AnswerRequest, AnswerResponse};

#[derive(Deserialize)]
struct Vector {
    number: i32,
    read: Said,
}

/// What a server author writes.
fn error(wanted: &Said) -> Result<Status, Failure> {
    let mut details = Vec::new();
    if let (Some(reason), Some(domain), Some(metadata)) =
        (&wanted.reason, &wanted.domain, &wanted.metadata)
    {
        details.push(ErrorInfo::new(reason, domain, metadata.clone()).into());
    }
    if let (Some(locale), Some(hint)) = (&wanted.locale, &wanted.hint) {
        details.push(LocalizedMessage::new(locale, hint).into());
    }
    for detail in &wanted.details {
        details.push(detail.typed()?.ok_or("tonic-types has no such detail")?);
    }
    let mut trailing = MetadataMap::new();
    for (key, value) in &wanted.trailing {
        trailing.insert(key.parse::<MetadataKey<Ascii>>()?, value.parse()?);
    }
    Ok(Status::with_error_details_vec_and_metadata(
        Code::from(wanted.status),
        &wanted.message,
        details,
        trailing,
    ))
}

pub async fn run(path: &str) -> Result<(), Failure> {
    let vectors: Vec<Vector> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let service = Service {
        vectors: vectors
            .into_iter()
            .map(|vector| (vector.number, vector.read))
            .collect(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let serving = Server::builder()
        .add_service(ConformanceServiceServer::new(service))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let (mut input, mut rest) = (stdin(), Vec::new());
    tokio::select! {
        ended = serving => ended?,
        _ = input.read_to_end(&mut rest) => {}
    }
    Ok(())
}

struct Service {
    vectors: HashMap<i32, Said>,
}

impl Service {
    fn answer(&self, vector: i32) -> Status {
        match self.vectors.get(&vector).map(error) {
            Some(Ok(status)) => status,
            Some(Err(failure)) => Status::unimplemented(failure.to_string()),
            None => Status::unimplemented("no such vector"),
        }
    }

    /// Sends the responses, reads the rest of the requests, and fails.
    fn stream(
        &self,
        first: AnswerRequest,
        requests: Option<Streaming<AnswerRequest>>,
    ) -> Responses {
        let (sender, receiver) = mpsc::channel(8);
        let status = self.answer(first.vector);
        tokio::spawn(async move {
            for index in 1..=first.messages {
                if sender.send(Ok(AnswerResponse { index })).await.is_err() {
                    return; // the client has gone
                }
            }
            if let Some(mut requests) = requests {
                while let Ok(Some(_)) = requests.message().await {}
            }
            let _ = sender.send(Err(status)).await;
        });
        Box::pin(ReceiverStream::new(receiver))
    }
}

type Responses = Pin<Box<dyn Stream<Item = Result<AnswerResponse, Status>> + Send>>;

async fn first(requests: &mut Streaming<AnswerRequest>) -> Result<AnswerRequest, Status> {
    requests
        .message()
        .await?
        .ok_or_else(|| Status::invalid_argument("no request"))
}

#[tonic::async_trait]
impl ConformanceService for Service {
    type ServerStreamStream = Responses;
    type BidiStreamStream = Responses;

    async fn unary(
        &self,
        request: Request<AnswerRequest>,
    ) -> Result<Response<AnswerResponse>, Status> {
        Err(self.answer(request.into_inner().vector))
    }

    async fn server_stream(
        &self,
        request: Request<AnswerRequest>,
    ) -> Result<Response<Responses>, Status> {
        Ok(Response::new(self.stream(request.into_inner(), None)))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<AnswerRequest>>,
    ) -> Result<Response<AnswerResponse>, Status> {
        let mut requests = request.into_inner();
        let first = first(&mut requests).await?;
        while requests.message().await?.is_some() {}
        Err(self.answer(first.vector))
    }

    async fn bidi_stream(
        &self,
        request: Request<Streaming<AnswerRequest>>,
    ) -> Result<Response<Responses>, Status> {
        let mut requests = request.into_inner();
        let first = first(&mut requests).await?;
        Ok(Response::new(self.stream(first, Some(requests))))
    }
}
