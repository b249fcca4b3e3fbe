// boomstream.com: /api/ppv/… and /api/media/…, and the player host: /{code}, /{code}/config.
//
// Parameters come from the query (GET, XML unless format=json) or from a JSON body (POST, always JSON); the
// key from `apikey` or, when there is none, from a Bearer header. Every refusal is HTTP 200 with Status
// Failed.
#pragma once

#include "coursegate/http/server.hpp"
#include "domain/world.hpp"
#include "handlers/stage.hpp"

#include <memory>
#include <string_view>

namespace coursegate::sandbox {

// Not thread safe; `w` must outlive it.
class boomstream_api
{
public:
    explicit boomstream_api(world& w);
    ~boomstream_api();

    // Does /api/{object}/… belong to Boomstream rather than to Stepik?
    static bool has_object(std::string_view object);

    // GET or POST /api/{object}/{method}
    http::response call(const http::request& r, answering& about);

    // GET /{code}?id_recovery=… and /player.html?code=…: always HTTP 200 for a video that exists, playing or
    // restricted.
    http::response player(const http::request& r, answering& about);

    // GET /{code}/config?id_recovery=…: mediaData is null without access; 404 for an unknown code.
    http::response config(const http::request& r, answering& about);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::sandbox
