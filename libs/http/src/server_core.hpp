// What a server's connections share.
#pragma once

#include "router.hpp"

#include "coursegate/async/component.hpp"
#include "coursegate/http/server.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace coursegate::http {

class connection;

struct server_core : std::enable_shared_from_this<server_core>
{
    server_core(async::executor ex, server_settings s, std::vector<route> routes);

    async::executor executor;
    server_settings settings;
    http::router router;
    boost::asio::ip::tcp::acceptor acceptor;
    std::string security_lines; // "X-Content-Type-Options: nosniff\r\n"

    bool stopping = false;
    std::unordered_set<connection*> connections;
    std::size_t refusing = 0;            // connections above the limit that are being told so
    std::size_t running = 0;             // coroutines of ours: accept loop, connections, handlers
    boost::asio::steady_timer all_ended; // cancelled when `running` reaches 0

    void fit_into_open_files(); // lowers max_connections where the limit of open files asks for it

    void began() { ++running; }
    void ended();

    async::task<void> accept();

    const std::string& date(); // this second's Date line
    void observe(
        std::string_view method, const router::match& where, int status, std::chrono::duration<double> took);

private:
    void welcome(boost::asio::ip::tcp::socket socket);

    std::time_t date_second_ = 0;
    std::string date_line_;
    std::unordered_map<std::uint64_t, metrics::histogram*> histograms_;
};

} // namespace coursegate::http
