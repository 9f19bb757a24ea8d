//! A way to Redis that can stop half-way.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// Passes bytes on until it is told otherwise.
pub struct Proxy {
    pub address: SocketAddr,
    /// Connections with a number up to this one are frozen.
    frozen_to: watch::Sender<u64>,
    count: watch::Sender<u64>,
    tasks: TaskTracker,
    ends: tokio_util::sync::CancellationToken,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self {
            address,
            frozen_to: watch::Sender::new(0),
            count: watch::Sender::new(0),
            tasks: TaskTracker::new(),
            ends: tokio_util::sync::CancellationToken::new(),
        };
        let (tasks, count, frozen_to) = (proxy.tasks.clone(), proxy.count.clone(), proxy.frozen_to.clone());
        let ends = proxy.ends.clone();
        proxy.tasks.spawn(proxy.ends.clone().run_until_cancelled_owned(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                count.send_modify(|count| *count += 1);
                let number = *count.borrow();
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                for (from, to) in [(from_client, to_server), (from_server, to_client)] {
                    let copying = copy(from, to, number, frozen_to.subscribe());
                    tasks.spawn(ends.clone().run_until_cancelled_owned(copying));
                }
            }
        }));
        proxy
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// All connections that there are pass nothing on any more, and stay open. New ones are fine.
    pub fn freeze(&self) {
        self.frozen_to.send_replace(*self.count.borrow());
    }

    pub fn thaw(&self) {
        self.frozen_to.send_replace(0);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, number: u64, mut frozen_to: watch::Receiver<u64>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        if frozen_to.wait_for(|frozen_to| number > *frozen_to).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = frozen_to.changed() => continue,
        };
        match read {
            Ok(count) if count > 0 && to.write_all(&buffer[..count]).await.is_ok() => {}
            _ => return,
        }
    }
}
